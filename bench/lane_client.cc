#include "bench/lane_client.h"

#include <utility>

#include "common/cluster/shard_map.h"
#include "common/net/zmq_transport.h"

namespace antiphon {
namespace {

constexpr uint64_t kClusterId = 1;
constexpr uint64_t kEpoch = 1;
constexpr uint32_t kShards = 256;

TableSlice SliceOf(size_t rows) {
  TableSlice slice;
  slice.set_table(0);
  slice.set_count(static_cast<uint32_t>(rows));
  return slice;
}

}  // namespace

LaneClient::LaneClient(const std::string& address, const TableSpec& table) {
  StatusOr<std::unique_ptr<ZmqTransport>> transport = ZmqTransport::Create();
  CHECK(transport.ok()) << transport.status();
  transport_ = std::move(*transport);
  StatusOr<std::unique_ptr<Endpoint>> endpoint =
      transport_->Open({.name = "client", .listen_address = ""});
  CHECK(endpoint.ok()) << endpoint.status();
  endpoint_ = std::move(*endpoint);
  rpc_ = std::make_unique<RpcNode>(*endpoint_, clock_, RpcOptions{.incarnation = 2}, nullptr);
  lane_ = *endpoint_->Connect(address);
  rpc_->SetCluster(kClusterId, kEpoch);
  ConfigureReply configured;
  Ask(METHOD_CONFIGURE, Configuration(table, address), {}, configured);
  OpenPartitionRequest open;
  open.set_partition(0);
  open.set_lease_epoch(1);
  OpenPartitionReply opened;
  Ask(METHOD_OPEN_PARTITION, open, {}, opened);
}

ConfigureRequest LaneClient::Configuration(const TableSpec& table, const std::string& address) {
  ConfigureRequest request;
  ParameterSchema* schema = request.mutable_schema();
  schema->set_seed(1);
  schema->set_shard_count(kShards);
  schema->set_chunk_floats(16384);
  *schema->add_tables() = table;
  ClusterView* view = request.mutable_view();
  view->set_cluster_id(kClusterId);
  view->set_epoch(kEpoch);
  view->set_shard_count(kShards);
  view->add_lanes()->set_address(address);
  for (const LaneId lane : AssignShards(kShards, 1)) {
    view->add_lane_of_shard(lane);
  }
  return request;
}

Message LaneClient::Pull(const Buffer& keys) {
  PullRequest request;
  request.set_step(++step_);
  request.set_purpose(PURPOSE_TRAIN);
  *request.add_tables() = SliceOf(keys.size() / sizeof(Key));
  PullReply reply;
  return Ask(METHOD_PULL, request, {&keys, 1}, reply);
}

void LaneClient::Push(const Buffer& gradients, const Buffer& counts) {
  PushRequest request;
  request.set_step(step_);
  request.set_partition(0);
  request.set_lease_epoch(1);
  request.set_begin(position_);
  request.set_end(++position_);
  *request.add_tables() = SliceOf(counts.size() / sizeof(uint32_t));
  const Buffer frames[] = {gradients, counts, Buffer()};
  PushReply reply;
  Ask(METHOD_PUSH, request, frames, reply);
  CHECK_EQ(reply.outcome(), PushReply::APPLIED);
}

}  // namespace antiphon
