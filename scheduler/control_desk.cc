#include "scheduler/control_desk.h"

#include <optional>

#include "common/base/logging.h"

namespace antiphon {

Status ControlDesk::Answer(const Request& request) {
  AP_RETURN_IF_ERROR(CheckSender(request));
  switch (request.method()) {
    case METHOD_SNAPSHOT:
      return AnswerSnapshot(request);
    case METHOD_EXTEND:
      return AnswerExtend(request);
    case METHOD_DRAIN: {
      DrainRequest meta;
      AP_RETURN_IF_ERROR(request.Parse(meta));
      AP_RETURN_IF_ERROR(CheckRuns());
      AP_RETURN_IF_ERROR(job_.Drain(meta));
      rpc_.Reply(RpcNode::AddressOf(request), DrainReply(), {});
      return Status();
    }
    case METHOD_STOP:
      LOG(INFO) << "asked to stop";
      job_.lifecycle().Stop(clock_.Now());
      rpc_.Reply(RpcNode::AddressOf(request), StopReply(), {});
      return Status();
    default:
      return UnimplementedError("the scheduler has no method " +
                                std::to_string(request.header.method));
  }
}

Status ControlDesk::CheckSender(const Request& request) const {
  const Node* node = job_.members().Find(request.header.sender);
  if (node == nullptr) {
    return Status();
  }
  return PermissionDeniedError(node->Name() + " asked for what only ps_ctl may ask for");
}

Status ControlDesk::CheckRuns() const {
  return job_.lifecycle().ended()
             ? FailedPreconditionError("the job has ended: every node leaves by itself")
             : Status();
}

Status ControlDesk::AnswerSnapshot(const Request& request) {
  const ReplyAddress to = RpcNode::AddressOf(request);
  if (snapshot_answer_.IsOwedTo(to)) {
    return Status();
  }
  if (snapshot_answer_.WasGivenTo(to)) {
    AP_ASSIGN_OR_RETURN(const SnapshotReply reply, snapshots_.result());
    rpc_.Reply(to, reply, {});
    return Status();
  }
  SnapshotRequest meta;
  AP_RETURN_IF_ERROR(request.Parse(meta));
  const std::string& directory = meta.directory().empty() ? snapshot_dir_ : meta.directory();
  if (directory.empty()) {
    return InvalidArgumentError(
        "no folder to write a snapshot to: give ps_ctl snapshot --dir, or "
        "start the scheduler with --snapshot_dir");
  }
  if (!cluster_.ready()) {
    return FailedPreconditionError(
        "there is nothing to write now: the cluster waits for servers or the plan");
  }
  if (cluster_.moving()) {
    return FailedPreconditionError(
        "shards are moving to other servers, by way of snapshots of their own; ask again when they "
        "have arrived (ps_ctl status)");
  }
  AP_RETURN_IF_ERROR(snapshots_.Start(directory, *job_.book()));
  snapshot_answer_.Owe(to);
  return Status();
}

// A repeat finds the plan that it brings, also after this scheduler's death.
Status ControlDesk::AnswerExtend(const Request& request) {
  const ReplyAddress to = RpcNode::AddressOf(request);
  if (request.message.bulk().size() != 1) {
    return InvalidArgumentError("an extension has " +
                                std::to_string(request.message.bulk().size()) +
                                " frames, expected 1: the plan");
  }
  if (!cluster_.ready() && !job_.plan_desk().is_extending()) {
    return FailedPreconditionError(
        "the cluster waits for servers or the plan; extend the job when it trains");
  }
  AP_RETURN_IF_ERROR(job_.Extend(request.message.bulk()[0]));
  if (job_.plan_desk().is_extending()) {
    extend_answer_.Owe(to);
    return Status();
  }
  ExtendReply reply;
  reply.set_view_epoch(cluster_.view().epoch());
  rpc_.Reply(to, reply, {});
  return Status();
}

void ControlDesk::OnExtended() {
  if (const std::optional<ReplyAddress> asker = extend_answer_.Give(); asker.has_value()) {
    ExtendReply reply;
    reply.set_view_epoch(cluster_.view().epoch());
    rpc_.Reply(*asker, reply, {});
  }
}

void ControlDesk::OnEnd() {
  if (const std::optional<ReplyAddress> asker = extend_answer_.Give(); asker.has_value()) {
    rpc_.ReplyError(*asker, FailedPreconditionError("the job has ended before it was extended"));
  }
  if (const std::optional<ReplyAddress> asker = snapshot_answer_.Give(); asker.has_value()) {
    rpc_.ReplyError(*asker,
                    FailedPreconditionError("the job has ended before the snapshot was complete"));
  }
}

void ControlDesk::OnSnapshotEnd() {
  const std::optional<ReplyAddress> asker = snapshot_answer_.Give();
  if (!asker.has_value()) {
    return;
  }
  if (const StatusOr<SnapshotReply>& result = snapshots_.result(); result.ok()) {
    rpc_.Reply(*asker, *result, {});
  } else {
    rpc_.ReplyError(*asker, result.status());
  }
}

}  // namespace antiphon
