// NodeAgent: a thread that keeps a SchedulerLink alive while its process is busy with other things.
//
// It has its own endpoint. What it learned is guarded: any thread may ask, or wait for the end.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/mutex.h"
#include "common/base/thread.h"
#include "common/net/scheduler_link.h"

namespace antiphon {

class NodeAgent {
 public:
  // `fill` runs on the agent's thread. So does `on_end`, when the job is over or the scheduler is
  // lost, and when the node may leave before; it may wake others but not stop the agent. `on_end`
  // is not called by Stop.
  static StatusOr<std::unique_ptr<NodeAgent>> Start(Transport& transport, Clock& clock,
                                                    SchedulerLinkOptions options,
                                                    SchedulerLink::FillHeartbeat fill,
                                                    std::function<void()> on_end);
  ~NodeAgent();
  NodeAgent(const NodeAgent&) = delete;
  NodeAgent& operator=(const NodeAgent&) = delete;

  // Waits for the scheduler's answer; an error when the link ended first or Stop was called.
  StatusOr<RegisterReply> WaitUntilRegistered() AP_EXCLUDES(mu_);

  JobState job_state() const AP_EXCLUDES(mu_);
  // See SchedulerLink::view_epoch.
  uint64_t view_epoch() const AP_EXCLUDES(mu_);
  // See SchedulerLink::may_leave.
  bool may_leave() const AP_EXCLUDES(mu_);
  // Nothing while the job goes on; see SchedulerLink::result. kCancelled after Stop.
  std::optional<Status> result() const AP_EXCLUDES(mu_);

  // Tells the scheduler that the node goes, and why, unless the job is over already; no heartbeat
  // is sent after it. May be called again, also by several threads: the first reason counts.
  void Stop(const std::string& reason) AP_EXCLUDES(mu_);

 private:
  NodeAgent(std::unique_ptr<Endpoint> endpoint, Clock& clock, SchedulerLinkOptions options,
            SchedulerLink::FillHeartbeat fill, std::function<void()> on_end);
  void Run() AP_EXCLUDES(mu_);
  void Publish() AP_EXCLUDES(mu_);
  std::string LeavingReason() const AP_EXCLUDES(mu_);

  std::unique_ptr<Endpoint> endpoint_;  // the thread's
  std::shared_ptr<Waker> waker_;
  SchedulerLink link_;  // the thread's
  std::function<void()> on_end_;
  std::atomic<bool> stop_{false};

  mutable Mutex mu_;
  CondVar changed_;
  std::optional<RegisterReply> registration_ AP_GUARDED_BY(mu_);
  JobState job_state_ AP_GUARDED_BY(mu_) = JOB_WAITING;
  uint64_t view_epoch_ AP_GUARDED_BY(mu_) = 0;
  bool may_leave_ AP_GUARDED_BY(mu_) = false;
  std::optional<Status> result_ AP_GUARDED_BY(mu_);
  std::string leaving_ AP_GUARDED_BY(mu_);
  bool silent_ AP_GUARDED_BY(mu_) = false;  // the thread sends nothing any more

  Thread thread_;
};

}  // namespace antiphon
