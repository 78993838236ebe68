#include "models/sequence_attention.h"

#include <algorithm>
#include <cmath>

#include "models/tape/column_ops.h"
#include "models/tape/linear_ops.h"
#include "models/tape/op_trace.h"
#include "models/tape/row_ops.h"

namespace antiphon {
namespace {

constexpr uint32_t kUsualUnits = 36;  // of the paper's attention

DNN ScoreNetwork(const SequenceFeatures& config) {
  DNN network = config.attention_dnn();
  if (!config.has_attention_dnn()) {
    network.add_hidden_units(kUsualUnits);
  }
  return network;
}

// For each element of the segments the segment that it is in.
template <typename T>
const uint32_t* SegmentOfEach(Tape<T>& tape, const Segments& segments) {
  uint32_t* owner = tape.template Scratch<uint32_t>(segments.offsets[segments.count]);
  for (uint32_t s = 0; s < segments.count; ++s) {
    std::fill(owner + segments.offsets[s], owner + segments.offsets[s + 1], s);
  }
  if (tape.trace() != nullptr) {
    tape.trace()->SegmentOfEach(owner, segments);
  }
  return owner;
}

// Row r of x for every element of segment r.
template <typename T>
Var<T> RepeatBySegment(Tape<T>& tape, const Var<T>& x, const Segments& segments) {
  return GatherRows(tape, x, SegmentOfEach(tape, segments), segments.offsets[segments.count]);
}

uint32_t SegmentCount(uint32_t items, uint32_t short_length, uint32_t long_length) {
  if (items <= short_length) {
    return items > 0 ? 1 : 0;
  }
  return 1 + (items - short_length + long_length - 1) / long_length;
}

}  // namespace

template <typename T>
SegmentedItems CutSegments(Tape<T>& tape, const Segments& items_of_rows, uint32_t short_length,
                           uint32_t long_length) {
  uint32_t* rows = tape.template Scratch<uint32_t>(items_of_rows.count + size_t{1});
  rows[0] = 0;
  for (uint32_t r = 0; r < items_of_rows.count; ++r) {
    const uint32_t items = items_of_rows.offsets[r + 1] - items_of_rows.offsets[r];
    rows[r + 1] = rows[r] + SegmentCount(items, short_length, long_length);
  }
  const uint32_t count = rows[items_of_rows.count];
  uint32_t* segments = tape.template Scratch<uint32_t>(count + size_t{1});
  for (uint32_t r = 0; r < items_of_rows.count; ++r) {
    const uint32_t begin = items_of_rows.offsets[r];
    uint32_t at = items_of_rows.offsets[r + 1];  // where a segment begins, from the newest back
    for (uint32_t s = rows[r + 1]; s-- > rows[r];) {
      const uint32_t most = s + 1 == rows[r + 1] ? short_length : long_length;
      at -= std::min(most, at - begin);
      segments[s] = at;
    }
  }
  segments[count] = items_of_rows.offsets[items_of_rows.count];
  const SegmentedItems cut = {{segments, count}, {rows, items_of_rows.count}};
  if (tape.trace() != nullptr) {
    tape.trace()->CutSegments(cut.segments, cut.rows, items_of_rows, short_length, long_length);
  }
  return cut;
}

SequenceAttention::SequenceAttention(const SequenceAttentionOptions& options,
                                     const SequenceFeatures& config, BlockList& blocks)
    : outputs_(config.has_segments() ? options.outputs : options.dim),
      score_(options.name + ".score", 4 * options.dim, ScoreNetwork(config), blocks) {
  if (!config.has_segments()) {
    return;
  }
  const uint32_t width = config.segments().attention_dim();
  SegmentLevel& level = level_.emplace();
  level.short_length = config.segments().short_length();
  level.long_length = config.segments().long_length();
  level.query = blocks.AddWeights(options.name + ".query", options.dim, width, 1);
  level.key = blocks.AddWeights(options.name + ".key", options.dim, width, 1);
  level.value = blocks.AddWeights(options.name + ".value", options.dim, outputs_, 1);
}

template <typename T>
Var<T> SequenceAttention::Attend(const Pass<T>& pass, const Var<T>& items, const Segments& segments,
                                 const Var<T>& target_of_item) const {
  Tape<T>& tape = pass.tape;
  const Var<T> pairs[] = {items, target_of_item, Multiply(tape, items, target_of_item),
                          Subtract(tape, items, target_of_item)};
  const Var<T> scores = score_.Forward(pass, ConcatColumns<T>(tape, pairs));
  return SegmentSum(tape, items, SegmentSoftmax(tape, scores, segments), segments);
}

template <typename T>
Var<T> SequenceAttention::AttendTwice(const Pass<T>& pass, const Var<T>& items,
                                      const SegmentedItems& cut, const Var<T>& target) const {
  Tape<T>& tape = pass.tape;
  const auto linear = [&](const Var<T>& x, BlockId weight) {
    return Linear(tape, x, pass.block(weight), Var<T>(), Activation::kLinear);
  };
  const Var<T> target_of_segment = RepeatBySegment(tape, target, cut.rows);
  const Var<T> segments =
      Attend(pass, items, cut.segments, RepeatBySegment(tape, target_of_segment, cut.segments));
  const Var<T> query = RepeatBySegment(tape, linear(target, level_->query), cut.rows);
  const Var<T> key = linear(segments, level_->key);
  const T factor = static_cast<T>(1 / std::sqrt(static_cast<double>(key.cols)));
  const Var<T> weight = SegmentSoftmax(tape, RowDots(tape, query, key, factor), cut.rows);
  return SegmentSum(tape, linear(segments, level_->value), weight, cut.rows);
}

template <typename T>
Var<T> SequenceAttention::Forward(const Pass<T>& pass, const Var<T>& items,
                                  const Segments& items_of_rows, const Var<T>& target) const {
  if (items.rows == 0) {
    const Var<T> nothing = pass.tape.New(target.rows, outputs_, kNoGradients);
    std::fill_n(nothing.value, nothing.size(), T{0});
    return nothing;
  }
  if (level_.has_value()) {
    const SegmentedItems cut =
        CutSegments(pass.tape, items_of_rows, level_->short_length, level_->long_length);
    return AttendTwice(pass, items, cut, target);
  }
  return Attend(pass, items, items_of_rows, RepeatBySegment(pass.tape, target, items_of_rows));
}

#define AP_INSTANTIATE(T)                                                                    \
  template SegmentedItems CutSegments(Tape<T>&, const Segments&, uint32_t, uint32_t);        \
  template Var<T> SequenceAttention::Forward(const Pass<T>&, const Var<T>&, const Segments&, \
                                             const Var<T>&) const;                           \
  template Var<T> SequenceAttention::AttendTwice(const Pass<T>&, const Var<T>&,              \
                                                 const SegmentedItems&, const Var<T>&) const;
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
