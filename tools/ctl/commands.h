// The commands of ps_ctl: each asks the cluster and prints the answer.
//
// Data goes to `out`; what went wrong comes back as a Status, for the main to print.
#pragma once

#include <ostream>
#include <string>

#include "common/base/clock.h"
#include "common/base/status.h"
#include "proto/plan.pb.h"
#include "tools/ctl/ctl_client.h"

namespace antiphon {

enum class OutputFormat { kText, kJson };

// Exit codes of ps_ctl, so that a monitor can tell a sick cluster from one that is not there.
enum class CtlExit : int {
  kHealthy = 0,
  kDegraded = 1,  // reachable, but something is wrong with it, or it refused
  kUsage = 2,
  kUnreachable = 3,
  kTimeout = 4,
};

CtlExit CtlExitFor(const Status& status);

struct CtlContext {
  CtlClient& client;
  Clock& clock;
  std::ostream& out;
  OutputFormat format = OutputFormat::kText;
  Duration timeout = std::chrono::seconds(5);
};

// The plan that the cluster trains by. kFailedPrecondition while there is none.
StatusOr<TrainingPlan> AskPlan(CtlContext& context);

// kHealthy or kDegraded.
StatusOr<CtlExit> ShowStatus(CtlContext& context);
StatusOr<CtlExit> ShowTables(CtlContext& context);
StatusOr<CtlExit> ShowStreams(CtlContext& context);
// The newest `windows` windows. kDegraded while a drift alarm is raised.
StatusOr<CtlExit> ShowTasks(CtlContext& context, uint32_t windows);
// `key` is decimal, or hexadecimal after 0x.
StatusOr<CtlExit> ExplainKey(CtlContext& context, const std::string& table, const std::string& key);
// `value` is one value of a feature that reads the table, as it stands in the data.
StatusOr<CtlExit> ExplainValue(CtlContext& context, const std::string& table,
                               const std::string& value);
// An empty directory stands for the cluster's own.
StatusOr<CtlExit> TakeSnapshot(CtlContext& context, const std::string& directory);
// `node` is "server/1" or "worker/0", as ShowStatus numbers them.
StatusOr<CtlExit> DrainNode(CtlContext& context, const std::string& node);
StatusOr<CtlExit> StopJob(CtlContext& context);

}  // namespace antiphon
