// The proof of exactly once: whatever is lost, doubled, delayed, killed or put to sleep, every
// sample trains its row once. ANTIPHON_LEDGER_SEEDS says how many worlds are tried.
#include <cstdlib>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#include "tests/cluster/ledger_world.h"

namespace antiphon {
namespace {

uint64_t SeedCount() {
  const char* text = std::getenv("ANTIPHON_LEDGER_SEEDS");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 400;
}

TEST(SampleLedgerTest, EverySampleTrainsItsRowExactlyOnce) {
  int kills = 0;
  int naps = 0;
  int server_kills = 0;
  int scheduler_kills = 0;
  int snapshots = 0;
  int extended = 0;
  int joins = 0;
  int drains = 0;
  int moves = 0;
  int moves_failed = 0;
  int inherited = 0;
  int samples = 0;
  const uint64_t seeds = SeedCount();
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const LedgerOutcome outcome = LedgerWorld({.seed = seed}).Run();
    ASSERT_TRUE(outcome.exact()) << "seed " << seed << ": " << outcome.never << " never, "
                                 << outcome.repeatedly << " repeatedly trained of "
                                 << outcome.samples << ", " << outcome.measured << " measured, "
                                 << outcome.misread << " misread; " << outcome.problem;
    // Who dies takes along what it had measured; an extension takes nothing.
    const bool is_calm = outcome.kills + outcome.naps + outcome.server_kills +
                             outcome.scheduler_kills + outcome.drains + outcome.joins ==
                         0;
    if (is_calm) {
      ASSERT_EQ(outcome.measured, outcome.samples) << "seed " << seed;
    }
    kills += outcome.kills;
    naps += outcome.naps;
    server_kills += outcome.server_kills;
    scheduler_kills += outcome.scheduler_kills;
    snapshots += outcome.snapshots;
    extended += outcome.extended ? 1 : 0;
    joins += outcome.joins;
    drains += outcome.drains;
    moves += outcome.moves;
    moves_failed += outcome.moves_failed;
    inherited += outcome.inherited;
    samples += outcome.samples;
  }
  std::cout << seeds << " worlds, " << samples << " samples, " << kills << " workers killed, "
            << naps << " put to sleep, " << server_kills << " servers and " << scheduler_kills
            << " schedulers killed, " << snapshots << " snapshots, " << extended
            << " worlds extended, " << joins << " servers joined, " << drains
            << " nodes drained, shards moved " << moves << " times and " << moves_failed
            << " times not to the end, those of lost servers went to others " << inherited
            << " times: every row is 1\n";
  EXPECT_GT(kills, 0);
  EXPECT_GT(server_kills, 0);
  EXPECT_GT(scheduler_kills, 0);
  EXPECT_GT(snapshots, 0);
  EXPECT_GT(extended, 0);
  EXPECT_GT(joins, 0);
  EXPECT_GT(drains, 0);
  EXPECT_GT(moves, 0);
  EXPECT_GT(inherited, 0);
  EXPECT_GT(naps, 0);
}

TEST(SampleLedgerTest, NoticesWhenPositionsAreNotChecked) {
  int wrong = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const LedgerOutcome outcome = LedgerWorld({.seed = seed, .check = PositionCheck::kOff}).Run();
    wrong += outcome.exact() ? 0 : 1;
  }
  EXPECT_GT(wrong, 10);
}

}  // namespace
}  // namespace antiphon
