#include "serving/export/publish_plan.h"

#include <algorithm>

#include "serving/signature.h"
#include "serving/version_chain.h"

namespace antiphon {
namespace {

const CommittedSnapshot* Find(std::span<const CommittedSnapshot> snapshots, uint64_t version) {
  const auto found = std::ranges::lower_bound(snapshots, version, {}, &CommittedSnapshot::version);
  return found != snapshots.end() && found->version == version ? &*found : nullptr;
}

// The newest that may be served, or null.
const CommittedSnapshot* FindGoal(std::span<const CommittedSnapshot> snapshots,
                                  const PublishRules& rules) {
  for (size_t i = snapshots.size(); i-- > 0;) {
    if (!snapshots[i].failed_as_full && (snapshots[i].is_promoted || !rules.promoted_only)) {
      return &snapshots[i];
    }
  }
  return nullptr;
}

bool IsOf(const CommittedSnapshot& snapshot, const Signature& published) {
  return snapshot.version == published.version() &&
         snapshot.manifest_crc32c == published.snapshot_crc32c();
}

// Why no step can lead from `last` to what `delta` is one of the way to; empty: one can.
std::string WhyNotAlike(const CommittedSnapshot& delta, const Signature& last,
                        const PublishRules& rules) {
  if (delta.model_id != last.model_id()) {
    return "another run of the job made the snapshot";
  }
  if (delta.tables != TableShapes(last)) {
    return "the tables changed";
  }
  if (delta.transform_digest != last.transform_digest()) {
    return "what turns features into ids or numbers changed";
  }
  if (last.min_score() != rules.min_score) {
    return "the lowest score of a row that is served changed";
  }
  for (const ServedTable& table : last.tables()) {
    if (table.precision() != ToProto(rules.precision)) {
      return "the precision changed";
    }
  }
  if (SequenceOf(last) >= std::min(rules.max_steps, kMaxSteps)) {
    return std::to_string(SequenceOf(last)) + " steps are enough";
  }
  return "";
}

// The first delta behind `last` on the way to `goal`, or null and why there is none.
const CommittedSnapshot* FirstStep(std::span<const CommittedSnapshot> snapshots,
                                   const CommittedSnapshot& goal, const Signature& last,
                                   const PublishRules& rules, std::string& why) {
  const CommittedSnapshot* at = &goal;
  while (true) {
    const std::string name = "snapshot " + std::to_string(at->version);
    why = !at->is_delta        ? name + " is a full one"
          : at->failed_as_step ? name + " cannot be read"
                               : WhyNotAlike(*at, last, rules);
    if (!why.empty()) {
      return nullptr;
    }
    if (at->predecessor_version == last.version() &&
        at->predecessor_crc32c == last.snapshot_crc32c()) {
      return at;
    }
    const CommittedSnapshot* before = Find(snapshots, at->predecessor_version);
    if (before == nullptr || before->version <= last.version() || before->version >= at->version ||
        before->manifest_crc32c != at->predecessor_crc32c) {
      why = "snapshots between " + std::to_string(last.version()) + " and " +
            std::to_string(at->version) + " are gone";
      return nullptr;
    }
    at = before;
  }
}

}  // namespace

std::string TableShapes(const Signature& signature) {
  std::string shapes;
  for (const ServedTable& table : signature.tables()) {
    shapes += (shapes.empty() ? "" : ",") + table.name() + ":" + std::to_string(table.dim());
  }
  return shapes;
}

StatusOr<Publication> PlanPublication(std::span<const CommittedSnapshot> snapshots,
                                      const Signature* last, const PublishRules& rules) {
  const CommittedSnapshot* goal = FindGoal(snapshots, rules);
  if (goal == nullptr || (last != nullptr && IsOf(*goal, *last))) {
    return Publication{};
  }
  Publication full = {.kind = Publication::Kind::kFull, .version = goal->version, .why_full = ""};
  if (last == nullptr) {
    full.why_full = "it is the first";
    return full;
  }
  if (goal->model_name != last->model_name()) {
    return InvalidArgumentError("snapshot " + goal->folder + " is of job \"" + goal->model_name +
                                "\", the versions that were published are of \"" +
                                last->model_name() + "\": publish it to a folder of its own");
  }
  if (const CommittedSnapshot& newest = snapshots.back();
      newest.version <= last->version() && !IsOf(newest, *last)) {
    return StaleEpochError(
        "the newest snapshot, " + newest.folder + ", is older than version " +
        std::to_string(last->version()) +
        ", which was published, or another one of that number: was the job started again without "
        "its snapshots? Publish it to a folder of its own");
  }
  if (goal->version <= last->version()) {
    return Publication{};  // what is newer is not to be served, or cannot be read
  }
  const CommittedSnapshot* step = FirstStep(snapshots, *goal, *last, rules, full.why_full);
  if (step == nullptr) {
    return full;
  }
  return Publication{.kind = Publication::Kind::kStep,
                     .version = step->version,
                     .becomes_current = step->is_promoted || !rules.promoted_only,
                     .why_full = ""};
}

}  // namespace antiphon
