#include "tools/ctl/ctl_client.h"

#include <utility>

#include "common/base/text.h"
#include "common/net/pending_call.h"

namespace antiphon {
namespace {

constexpr Duration kPollFor = std::chrono::milliseconds(50);
constexpr Duration kRetryAfter = std::chrono::milliseconds(500);

std::string SecondsOf(Duration duration) {
  return FormatSeconds(std::chrono::duration<double>(duration).count());
}

RegisterRequest Hello() {
  RegisterRequest hello;
  hello.set_role(ROLE_CONTROL);
  return hello;
}

}  // namespace

CtlClient::CtlClient(std::unique_ptr<Endpoint> endpoint, Clock& clock, Incarnation incarnation,
                     Duration patience)
    : clock_(clock),
      patience_(patience),
      endpoint_(std::move(endpoint)),
      rpc_(*endpoint_, clock, {.incarnation = incarnation}, nullptr) {}

StatusOr<std::unique_ptr<CtlClient>> CtlClient::Connect(Transport& transport, Clock& clock,
                                                        const std::string& scheduler,
                                                        Incarnation incarnation,
                                                        Duration patience) {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<Endpoint> endpoint,
                      transport.Open({.name = "ps_ctl", .listen_address = ""}));
  std::unique_ptr<CtlClient> client(
      new CtlClient(std::move(endpoint), clock, incarnation, patience));
  AP_ASSIGN_OR_RETURN(client->scheduler_, client->endpoint_->Connect(scheduler));
  const auto reply = client->Ask<RegisterReply>(METHOD_REGISTER, Hello(), patience);
  if (reply.status().code() == StatusCode::kDeadlineExceeded) {
    return UnavailableError("no scheduler answers at " + scheduler + " (waited " +
                            SecondsOf(patience) + "); is it running, and is --scheduler right?");
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
  const CallId call = rpc_.Call(peer, method, request, frames,
                                {.deadline = deadline, .retry_after = kRetryAfter}, *this);
  AP_RETURN_IF_ERROR(WaitFor(call, peer == scheduler_));
  AP_RETURN_IF_ERROR(*status_);
  return ParseMeta(reply_, reply);
}

// Some answers take minutes, a scheduler that has died never gives one, and from here both look
// the same: so it is greeted again and again meanwhile.
Status CtlClient::WaitFor(CallId call, bool of_scheduler) {
  const Duration silence = 5 * patience_;
  PendingCall greeting(rpc_);
  Time greet_at = clock_.Now() + patience_;
  while (!status_.has_value()) {
    rpc_.Poll(kPollFor);
    if (greeting.ready()) {
      RegisterReply reply;
      if (greeting.Take(reply).code() == StatusCode::kDeadlineExceeded) {
        rpc_.Cancel(call);
        return UnavailableError("the scheduler fell silent (" + SecondsOf(silence) +
                                " without a sign of life); what was asked for may be done or not");
      }
      greet_at = clock_.Now() + patience_;
    }
    if (of_scheduler && greeting.idle() && clock_.Now() >= greet_at) {
      greeting.Start(scheduler_, METHOD_REGISTER, Hello(), {},
                     {.deadline = silence, .retry_after = kRetryAfter});
    }
  }
  return Status();
}

void CtlClient::OnReply(CallId, const Status& status, const Message& reply) {
  status_ = status;
  reply_ = reply;
}

}  // namespace antiphon
