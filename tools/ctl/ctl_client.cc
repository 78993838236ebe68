#include "tools/ctl/ctl_client.h"

#include <utility>

#include "common/base/text.h"

namespace antiphon {
namespace {

constexpr Duration kPollFor = std::chrono::milliseconds(50);
constexpr Duration kRetryAfter = std::chrono::milliseconds(500);

}  // namespace

CtlClient::CtlClient(std::unique_ptr<Endpoint> endpoint, Clock& clock, Incarnation incarnation)
    : endpoint_(std::move(endpoint)),
      rpc_(*endpoint_, clock, {.incarnation = incarnation}, nullptr) {}

StatusOr<std::unique_ptr<CtlClient>> CtlClient::Connect(Transport& transport, Clock& clock,
                                                        const std::string& scheduler,
                                                        Incarnation incarnation,
                                                        Duration patience) {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<Endpoint> endpoint,
                      transport.Open({.name = "ps_ctl", .listen_address = ""}));
  std::unique_ptr<CtlClient> client(new CtlClient(std::move(endpoint), clock, incarnation));
  AP_ASSIGN_OR_RETURN(client->scheduler_, client->endpoint_->Connect(scheduler));
  RegisterRequest hello;
  hello.set_role(ROLE_CONTROL);
  const auto reply = client->Ask<RegisterReply>(METHOD_REGISTER, hello, patience);
  if (reply.status().code() == StatusCode::kDeadlineExceeded) {
    return UnavailableError("no scheduler answers at " + scheduler + " (waited " +
                            FormatSeconds(std::chrono::duration<double>(patience).count()) +
                            "); is it running, and is --scheduler right?");
  }
  if (!reply.ok()) {
    return reply.status().WithContext("scheduler " + scheduler);
  }
  client->rpc_.SetCluster(reply->cluster_id(), 0);
  return client;
}

Status CtlClient::Call(PeerId peer, Method method, const google::protobuf::MessageLite& request,
                       std::span<const Buffer> frames, Duration deadline,
                       google::protobuf::MessageLite& reply) {
  status_.reset();
  rpc_.Call(peer, method, request, frames, {.deadline = deadline, .retry_after = kRetryAfter},
            *this);
  while (!status_.has_value()) {
    rpc_.Poll(kPollFor);
  }
  AP_RETURN_IF_ERROR(*status_);
  return ParseMeta(reply_, reply);
}

void CtlClient::OnReply(CallId, const Status& status, const Message& reply) {
  status_ = status;
  reply_ = reply;
}

}  // namespace antiphon
