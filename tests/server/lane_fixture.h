// Lanes over an in-memory transport with a client that speaks to them as a worker would.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/cluster/chunk_layout.h"
#include "common/cluster/shard_map.h"
#include "common/net/memory_transport.h"
#include "server/lane.h"
#include "tests/support/fake_clock.h"
#include "tests/support/memory_file_system.h"

namespace antiphon {

inline constexpr uint32_t kTestShards = 16;
inline constexpr uint64_t kTestCluster = 99;

// Table 0 has two floats a row that start at 0, table 1 three that start random; both learn by
// w -= gradient, so that gradients of -1 make a weight count its pushes. One dense block of 20
// floats in chunks of 4.
inline ParameterSchema TestSchema() {
  ParameterSchema schema;
  schema.set_seed(7);
  schema.set_shard_count(kTestShards);
  schema.set_chunk_floats(4);
  for (const uint32_t dim : {2, 3}) {
    TableSpec* table = schema.add_tables();
    table->set_name("table" + std::to_string(dim));
    table->set_dim(dim);
    table->mutable_optimizer()
        ->mutable_sgd_optimizer()
        ->mutable_learning_rate()
        ->mutable_constant_learning_rate()
        ->set_learning_rate(1);
    if (dim == 3) {
      table->mutable_initializer()->mutable_uniform_initializer();
    }
  }
  BlockSpec* block = schema.add_blocks();
  block->set_name("bias");
  block->set_rows(1);
  block->set_cols(20);
  *block->mutable_optimizer() = schema.tables(0).optimizer();
  return schema;
}

inline ClusterView TestView(uint32_t lanes) {
  ClusterView view;
  view.set_cluster_id(kTestCluster);
  view.set_epoch(1);
  view.set_shard_count(kTestShards);
  for (uint32_t lane = 0; lane < lanes; ++lane) {
    view.add_lanes()->set_address("mem://lane" + std::to_string(lane));
  }
  for (const LaneId lane : AssignShards(kTestShards, lanes)) {
    view.add_lane_of_shard(lane);
  }
  return view;
}

inline ConfigureRequest TestConfig(uint32_t lanes, LaneId lane) {
  ConfigureRequest config;
  *config.mutable_schema() = TestSchema();
  *config.mutable_view() = TestView(lanes);
  config.set_lane(lane);
  return config;
}

// An answer as a client sees it.
struct Answer final : public ReplyHandler {
  void OnReply(CallId, const Status& reply_status, const Message& reply) override {
    ++count;
    status = reply_status;
    message = reply;
  }
  template <typename Reply>
  Reply Parse() const {
    Reply reply;
    EXPECT_TRUE(status.ok()) << status;
    if (status.ok()) {
      EXPECT_TRUE(ParseMeta(message, reply).ok());
    }
    return reply;
  }
  std::vector<float> Floats(size_t frame) const {
    const std::span<const float> floats = message.bulk()[frame].As<float>();
    return {floats.begin(), floats.end()};
  }

  int count = 0;
  Status status;
  Message message;
};

template <typename T>
Buffer BufferOf(const std::vector<T>& values) {
  return Buffer::Copy(std::as_bytes(std::span(values)));
}

class TestClient {
 public:
  TestClient(Transport& transport, Clock& clock, Incarnation incarnation)
      : endpoint_(
            transport.Open({.name = "client" + std::to_string(incarnation), .listen_address = ""})
                .value()),
        rpc_(*endpoint_, clock, {.incarnation = incarnation}, nullptr) {
    rpc_.SetCluster(kTestCluster, 1);
  }

  void ConnectTo(const std::string& address) { peers_.push_back(*endpoint_->Connect(address)); }
  void Send(LaneId lane, Method method, const google::protobuf::MessageLite& request,
            const std::vector<Buffer>& frames, Answer& answer) {
    rpc_.Call(peers_[lane], method, request, frames, {}, answer);
  }
  void Poll() { rpc_.Poll(Duration::zero()); }
  RpcNode& rpc() { return rpc_; }

 private:
  std::unique_ptr<Endpoint> endpoint_;
  RpcNode rpc_;
  std::vector<PeerId> peers_;
};

// A few lanes and two clients. What one test does runs on one thread.
class TestLanes {
 public:
  TestLanes(uint32_t lanes, FileSystem& fs, PositionCheck check = PositionCheck::kOn)
      : transport_(clock_),
        snapshots_(fs, SnapshotWriter::Mode::kInline),
        ann(transport_, clock_, 11),
        bob(transport_, clock_, 12) {
    for (uint32_t lane = 0; lane < lanes; ++lane) {
      const std::string address = "mem://lane" + std::to_string(lane);
      endpoints_.push_back(transport_.Open({.name = "lane", .listen_address = address}).value());
      lanes_.push_back(
          std::make_unique<Lane>(*endpoints_.back(), clock_, fs, snapshots_,
                                 LaneOptions{.incarnation = 100 + lane, .position_check = check}));
      ann.ConnectTo(address);
      bob.ConnectTo(address);
    }
  }

  void Configure(std::optional<uint32_t> max_staleness = std::nullopt,
                 const ParameterSchema& schema = TestSchema()) {
    for (LaneId lane = 0; lane < lanes_.size(); ++lane) {
      ConfigureRequest config = TestConfig(static_cast<uint32_t>(lanes_.size()), lane);
      *config.mutable_schema() = schema;
      if (max_staleness.has_value()) {
        config.set_max_staleness(*max_staleness);
      }
      const Answer answer = Call(lane, METHOD_CONFIGURE, config);
      EXPECT_TRUE(answer.status.ok()) << answer.status;
    }
  }

  Answer Call(LaneId lane, Method method, const google::protobuf::MessageLite& request,
              const std::vector<Buffer>& frames = {}) {
    Answer answer;
    ann.Send(lane, method, request, frames, answer);
    Run();
    EXPECT_EQ(answer.count, 1) << "no answer to method " << method;
    return answer;
  }

  void Run() {
    for (int round = 0; round < 8; ++round) {
      for (const std::unique_ptr<Lane>& lane : lanes_) {
        lane->Poll(Duration::zero());
      }
      ann.Poll();
      bob.Poll();
    }
  }

  LaneStatus StatusOf(LaneId lane) const {
    LaneStatus status;
    lanes_[lane]->Describe(&status);
    return status;
  }
  size_t size() const { return lanes_.size(); }
  FakeClock& clock() { return clock_; }

 private:
  FakeClock clock_;
  MemoryTransport transport_;
  SnapshotWriter snapshots_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::vector<std::unique_ptr<Lane>> lanes_;

 public:
  TestClient ann;  // incarnation 11
  TestClient bob;  // incarnation 12
};

inline LaneId LaneOfKey(TableId table, Key key, uint32_t lanes) {
  return AssignShards(kTestShards, lanes)[ShardOfKey(table, key, kTestShards)];
}

inline OpenPartitionRequest OpenRequest(PartitionId partition, uint64_t lease_epoch) {
  OpenPartitionRequest open;
  open.set_partition(partition);
  open.set_lease_epoch(lease_epoch);
  return open;
}

inline PullRequest PullOf(uint64_t step, TableId table, size_t count, Tick tick = 0) {
  PullRequest pull;
  pull.set_step(step);
  pull.set_tick(tick);
  TableSlice* slice = pull.add_tables();
  slice->set_table(table);
  slice->set_count(static_cast<uint32_t>(count));
  return pull;
}

// A push of positions [begin, end) of partition 0 that answers PullOf(step, table, count).
inline PushRequest PushOf(uint64_t step, TableId table, size_t count, Position begin,
                          Position end) {
  PushRequest push;
  push.set_step(step);
  push.set_partition(0);
  push.set_lease_epoch(1);
  push.set_begin(begin);
  push.set_end(end);
  TableSlice* slice = push.add_tables();
  slice->set_table(table);
  slice->set_count(static_cast<uint32_t>(count));
  return push;
}

}  // namespace antiphon
