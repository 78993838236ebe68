// SequenceAttention: what a sequence of items says about a target, as one row.
//
// Items that matter for the target weigh more (DIN, Zhou et al., KDD 2018):
//
//   alpha_i ~ exp(mlp([h_i ; t ; h_i * t ; h_i - t]))      s = sum_i alpha_i h_i
//
// With segments the softmax runs inside each segment of the sequence, and a second attention
// weighs the segments, in place of recurrence over a long history:
//
//   beta_c ~ exp(<W_q t, W_k s_c> / sqrt(d))               out = sum_c beta_c W_v s_c
//
// A sequence without items gives zeros; segments without items do not exist. Frozen.
#pragma once

#include <optional>
#include <string>

#include "models/mlp.h"
#include "models/model.h"
#include "models/tape/segment_ops.h"
#include "proto/job.pb.h"

namespace antiphon {

// How the items of some rows fall into segments: items by segment, segments by row.
struct SegmentedItems {
  Segments segments;
  Segments rows;
};

// Cuts each row's items, of which the last is the newest: the newest `short_length` are one
// segment, those before them segments of `long_length`, an odd rest the oldest. On tape memory.
template <typename T>
SegmentedItems CutSegments(Tape<T>& tape, const Segments& items_of_rows, uint32_t short_length,
                           uint32_t long_length);

struct SequenceAttentionOptions {
  std::string name;      // of the blocks: `name`.score. ..., `name`.query, `name`.key, `name`.value
  uint32_t dim = 0;      // of items and target
  uint32_t outputs = 0;  // with segments; without them it is dim
};

// The second attention, over segments.
struct SegmentLevel {
  uint32_t short_length = 0;
  uint32_t long_length = 0;
  BlockId query = 0;
  BlockId key = 0;
  BlockId value = 0;
};

class SequenceAttention {
 public:
  SequenceAttention(const SequenceAttentionOptions& options, const SequenceFeatures& config,
                    BlockList& blocks);

  uint32_t outputs() const { return outputs_; }

  // One row for each of `target`; `items_of_rows` says which items are whose.
  template <typename T>
  Var<T> Forward(const Pass<T>& pass, const Var<T>& items, const Segments& items_of_rows,
                 const Var<T>& target) const;

  // The same for items that are cut already; only with segments.
  template <typename T>
  Var<T> AttendTwice(const Pass<T>& pass, const Var<T>& items, const SegmentedItems& cut,
                     const Var<T>& target) const;

 private:
  // One row for each segment.
  template <typename T>
  Var<T> Attend(const Pass<T>& pass, const Var<T>& items, const Segments& segments,
                const Var<T>& target_of_item) const;

  uint32_t outputs_;
  Tower score_;
  std::optional<SegmentLevel> level_;
};

}  // namespace antiphon
