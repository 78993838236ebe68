#include "server/adoption_service.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/base/logging.h"
#include "common/cluster/chunk_layout.h"

namespace antiphon {

namespace {

// Installed or freed, it keeps a lane busy for a fraction of a millisecond.
constexpr size_t kSliceBytes = size_t{32} << 10;
constexpr size_t kForgottenRowsOfASlice = 1024;

template <typename Shards>
bool Holds(const Shards& shards, ShardId shard) {
  return std::ranges::binary_search(shards, shard);
}

}  // namespace

Status AdoptionService::Adopt(const AdoptRequest& request) {
  std::string bytes = request.SerializeAsString();
  bytes += '.';  // so that one for nothing has some, too
  if (bytes == asked_) {
    return Status();
  }
  const LaneStore& store = *state_.store;
  std::vector<ShardId> shards(request.shards().begin(), request.shards().end());
  std::ranges::sort(shards);
  for (const ShardId shard : shards) {
    if (shard >= store.shard_count() || store.Owns(shard)) {
      return InvalidArgumentError("lane " + std::to_string(store.lane()) + " cannot adopt shard " +
                                  std::to_string(shard) + ": it " +
                                  (shard < store.shard_count() ? "has it" : "does not exist"));
    }
  }
  std::vector<Link> links;
  if (!request.from().directory().empty()) {
    links.push_back({.directory = request.from().directory(), .files = request.from().files()});
  }
  for (const RestoreDelta& delta : request.from().deltas()) {
    links.push_back({.directory = delta.directory(), .files = delta.files()});
  }
  if (!GoesOn(shards, links)) {
    AP_RETURN_IF_ERROR(Begin(shards));
  }
  if (adoption_.has_value()) {
    adoption_->links = std::move(links);
    adoption_->forgets_positions = request.from().forget_positions();
  }
  asked_ = std::move(bytes);
  failure_ = Status();
  return Status();
}

bool AdoptionService::GoesOn(const std::vector<ShardId>& shards,
                             const std::vector<Link>& links) const {
  if (!adoption_.has_value() || adoption_->shards != shards) {
    return false;
  }
  const size_t begun = adoption_->links_read + (adoption_->is_reading ? 1 : 0);
  return begun <= links.size() &&
         std::equal(links.begin(), links.begin() + static_cast<ptrdiff_t>(begun),
                    adoption_->links.begin(),
                    [](const Link& a, const Link& b) { return a.directory == b.directory; });
}

Status AdoptionService::Begin(const std::vector<ShardId>& shards) {
  Forget();
  if (shards.empty()) {
    return Status();
  }
  LaneStore& store = *state_.store;
  std::vector<Chunk> chunks = AllChunks(store.schema());
  std::erase_if(chunks, [&shards](const Chunk& chunk) { return !Holds(shards, chunk.shard); });
  Adoption begun;
  begun.shards = shards;
  AP_ASSIGN_OR_RETURN(begun.dense, DenseStore::Create(store.schema(), chunks));
  begun.restorer = std::make_unique<LaneRestorer>(fs_, store, *begun.dense, shards);
  for (TableId id = 0; id < store.table_count(); ++id) {
    store.table(id).Adopt(shards);
  }
  adoption_ = std::move(begun);
  return Status();
}

void AdoptionService::Forget() {
  is_closed_ = false;
  if (!adoption_.has_value()) {
    return;
  }
  for (TableId id = 0; id < state_.store->table_count(); ++id) {
    state_.store->table(id).Adopt({});
  }
  adoption_.reset();
}

bool AdoptionService::Advance() {
  if (ForgetSlice()) {
    return true;
  }
  if (asked_.empty() || is_whole()) {
    return false;
  }
  failure_ = ReadSlice();
  if (!failure_.ok()) {
    Forget();
  }
  return true;
}

bool AdoptionService::ForgetSlice() const {
  LaneStore& store = *state_.store;
  for (TableId id = 0; id < store.table_count(); ++id) {
    if (store.table(id).ForgetSome(kForgottenRowsOfASlice)) {
      return true;
    }
  }
  return false;
}

Status AdoptionService::ReadSlice() {
  Adoption& adoption = *adoption_;
  if (!adoption.is_reading) {
    const Link& next = adoption.links[adoption.links_read];
    adoption.restorer->BeginLink(next.directory, next.files);
    adoption.is_reading = true;
  }
  AP_ASSIGN_OR_RETURN(adoption.is_reading, adoption.restorer->Advance(kSliceBytes));
  adoption.links_read += adoption.is_reading ? 0 : 1;
  return Status();
}

std::optional<StatusOr<AdoptReply>> AdoptionService::TakeResult() {
  if (asked_.empty() || !is_whole()) {
    return std::nullopt;
  }
  asked_.clear();
  if (!failure_.ok()) {
    return failure_;
  }
  AdoptReply reply;
  if (adoption_.has_value()) {
    for (TableId id = 0; id < state_.store->table_count(); ++id) {
      reply.set_rows(reply.rows() + state_.store->table(id).adopted_rows());
    }
    reply.set_chunks(adoption_->dense->chunk_count());
  }
  return reply;
}

bool AdoptionService::HasRead(const std::vector<ShardId>& shards) const {
  return std::ranges::all_of(shards, [this](ShardId shard) {
    return state_.store->Owns(shard) ||
           (adoption_.has_value() && is_whole() && Holds(adoption_->shards, shard));
  });
}

Status AdoptionService::TakeView(const ConfigureRequest& config) {
  LaneStore& store = *state_.store;
  AP_ASSIGN_OR_RETURN(const std::vector<ShardId> shards, store.ShardsIn(config));
  if (shards == store.shards()) {
    if (config.schema().SerializeAsString() != store.schema().SerializeAsString()) {
      Forget();  // it was read into what the schema had
    }
    is_closed_ = adoption_.has_value();
    return store.TakeView(config, nullptr);
  }
  if (!HasRead(shards)) {
    return FailedPreconditionError(
        "the view of epoch " + std::to_string(config.view().epoch()) + " gives lane " +
        std::to_string(store.lane()) +
        " a shard that it neither has nor has adopted; restart its server");
  }
  AP_ASSIGN_OR_RETURN(PositionLedger ledger, Regroup(shards));
  const size_t had = store.shards().size();
  AP_RETURN_IF_ERROR(
      store.TakeView(config, adoption_.has_value() ? adoption_->dense.get() : nullptr));
  state_.ledger = std::move(ledger);
  // Places of rows that are about to be forgotten.
  state_.handles.Clear();
  if (adoption_.has_value()) {
    for (TableId id = 0; id < adoption_->restorer->table_pushes().size(); ++id) {
      RowTable& table = store.table(id);
      table.set_push_count(std::max(table.push_count(), adoption_->restorer->table_pushes()[id]));
    }
  }
  adoption_.reset();
  is_closed_ = false;
  LOG(INFO) << "lane " << store.lane() << " has " << shards.size()
            << " shards by the view of epoch " << config.view().epoch() << ", had " << had;
  return Status();
}

// Each group of the files stays one here, since it may stand at another place of the stream.
StatusOr<PositionLedger> AdoptionService::Regroup(const std::vector<ShardId>& shards) const {
  google::protobuf::RepeatedPtrField<PositionGroup> own;
  state_.ledger.Save(&own);
  std::vector<PositionGroup> groups(own.begin(), own.end());
  if (adoption_.has_value()) {
    std::ranges::move(AdoptedGroups(), std::back_inserter(groups));
  }
  PositionLedger ledger = state_.ledger;
  AP_RETURN_IF_ERROR(ledger.Restore(state_.store->shard_count(), shards, groups));
  return ledger;
}

// Where the adopted shards stand: at the beginning, when no snapshot says where.
std::vector<PositionGroup> AdoptionService::AdoptedGroups() const {
  std::vector<PositionGroup> groups;
  if (adoption_->links.empty() || adoption_->forgets_positions) {
    groups.emplace_back().mutable_shards()->Assign(adoption_->shards.begin(),
                                                   adoption_->shards.end());
    return groups;
  }
  for (const PositionGroup& of_file : adoption_->restorer->groups()) {
    PositionGroup& group = groups.emplace_back();
    *group.mutable_positions() = of_file.positions();
    for (const ShardId shard : of_file.shards()) {
      if (Holds(adoption_->shards, shard)) {
        group.add_shards(shard);
      }
    }
  }
  return groups;
}

}  // namespace antiphon
