// Tape: a forward pass that remembers how to go back.
//
// An op is a function that takes the tape and some Vars, computes at once and records a closure
// that turns the gradient of its result into gradients of its arguments. Backward runs the closures
// in reverse. All memory is the tape's arena, so a step like the last one allocates nothing.
//
// Gradients add up: a value that is used twice gets both. Nothing is zeroed ahead of time; a buffer
// comes to life with the first gradient that reaches it, and an op whose result got none is
// skipped. So what no loss depends on costs nothing, and a parameter whose buffer is not live was
// not reached: that is how an absent task leaves its tower alone.
//
// A trace hears of every op, so that a pass can be written down (models/tape/op_trace.h).
//
// Float for work, double for tests of gradients. Owned by one thread.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/math/gemm.h"
#include "common/math/kernels.h"
#include "models/tape/arena.h"

namespace antiphon {

// Which gradients a backward pass is to find: those of parameters (dense blocks), of inputs
// (embedding rows), or both. A bit set; Vars use it to say what they depend on.
enum Gradients : uint8_t { kNoGradients = 0, kParameters = 1, kInputs = 2, kBoth = 3 };

// The gradient of one whole matrix. Its memory means something only while it is live.
template <typename T>
struct GradBuffer {
  T* data = nullptr;
  size_t size = 0;
  bool live = false;
};

// A matrix on the tape, or some columns of one; a value type. Valid until the tape is reset.
template <typename T>
struct Var {
  T* value = nullptr;
  T* grad = nullptr;                // laid out as the value; null where no gradient ever goes
  GradBuffer<T>* buffer = nullptr;  // that grad lies in
  uint32_t rows = 0;
  uint32_t cols = 0;
  uint32_t stride = 0;
  Gradients depends = kNoGradients;

  explicit operator bool() const { return value != nullptr; }
  bool contiguous() const { return stride == cols || rows <= 1; }
  size_t size() const { return size_t{rows} * cols; }
  MatrixView<const T> view() const { return {value, rows, cols, stride}; }
  MatrixView<T> grad_view() const { return {grad, rows, cols, stride}; }
};

template <typename T>
class OpTrace;

// A point in what a tape has recorded.
struct TapeMark {
  size_t records = 0;
  size_t buffers = 0;
};

template <typename T>
class Tape {
 public:
  Tape(const Gemm& gemm, const KernelTable<T>& kernels) : gemm_(gemm), kernels_(kernels) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  // Forgets all Vars. While `record` is kNo nothing is remembered and no gradient has memory.
  enum class Recording { kNo, kYes };
  void Reset(Recording record);

  // A matrix that the caller owns and nothing flows back to. Ops never write to it.
  Var<T> Constant(const T* value, size_t rows, size_t cols);
  // One whose gradient goes to `buffer`, which outlives the tape's reset. `depends` says what it
  // is: kParameters or kInputs.
  Var<T> Leaf(const T* value, size_t rows, size_t cols, Gradients depends, GradBuffer<T>* buffer);

  // Null, as at first: nobody listens. A trace outlives the tape or is taken away.
  void set_trace(OpTrace<T>* trace) { trace_ = trace; }

  // Gradients for everything that was recorded since Reset, from the losses, which seed them.
  void Backward(Gradients wanted);
  // Lets a second Backward start afresh; buffers of leaves keep what they have.
  void DropGradients() { DropGradientsAbove({}); }

  // Backward in two parts: from the losses down to what was recorded after `mark`, as often as need
  // be with DropGradientsAbove in between, and then once from there.
  TapeMark Mark() const { return {.records = records_.size(), .buffers = buffers_.size()}; }
  void BackwardAbove(const TapeMark& mark, Gradients wanted);
  void BackwardBelow(const TapeMark& mark, Gradients wanted);
  // Of matrices made after `mark`: what lies below keeps what has come down to it.
  void DropGradientsAbove(const TapeMark& mark);

  // What ops are made of.

  // A new matrix; its contents are whatever lay there.
  Var<T> New(size_t rows, size_t cols, Gradients depends);
  // Whether the running backward pass wants the gradient of `x`.
  bool Wants(const Var<T>& x) const { return x.grad != nullptr && (x.depends & wanted_) != 0; }
  // Whether a gradient has reached `y`.
  bool Reached(const Var<T>& y) const { return y.buffer != nullptr && y.buffer->live; }
  // Where to add to the gradient of `x`.
  T* Grad(const Var<T>& x) const;
  // The same, or null when nobody wants it.
  T* GradIfWanted(const Var<T>& x) const { return Wants(x) ? Grad(x) : nullptr; }
  // As Grad, for a writer of all of `x`: the factor of what lies there, 0 or 1, as in Gemm.
  T GradBeta(const Var<T>& x) const;

  // `back(*this)` runs in Backward, when `result` was reached. It must need no destructor: Vars,
  // numbers and arena memory only.
  template <typename Back>
  void Record(const Var<T>& result, Back back) {
    static_assert(std::is_trivially_destructible_v<Back>);
    if (!recording_ || result.grad == nullptr) {
      return;
    }
    Keep(result.buffer, std::move(back));
  }
  // For a loss, where gradients begin: `back` always runs.
  template <typename Back>
  void RecordLoss(Back back) {
    static_assert(std::is_trivially_destructible_v<Back>);
    if (recording_) {
      Keep(nullptr, std::move(back));
    }
  }

  template <typename U>
  U* Scratch(size_t count) {
    return arena_.AllocateArray<U>(count);
  }
  OpTrace<T>* trace() const { return trace_; }
  const Gemm& gemm() const { return gemm_; }
  const KernelTable<T>& kernels() const { return kernels_; }
  uint64_t arena_blocks() const { return arena_.block_count(); }

 private:
  struct RecordedOp {
    void (*back)(Tape&, void*);
    void* op;
    const GradBuffer<T>* result;  // null for a loss
  };

  void RunBack(size_t begin, size_t end, Gradients wanted);

  template <typename Back>
  void Keep(const GradBuffer<T>* result, Back back) {
    Back* kept = new (arena_.Allocate(sizeof(Back))) Back(std::move(back));
    records_.push_back(
        {[](Tape& tape, void* op) { (*static_cast<Back*>(op))(tape); }, kept, result});
  }

  const Gemm& gemm_;
  const KernelTable<T>& kernels_;
  Arena arena_;
  std::vector<RecordedOp> records_;
  std::vector<GradBuffer<T>*> buffers_;  // of New
  OpTrace<T>* trace_ = nullptr;
  bool recording_ = true;
  Gradients wanted_ = kNoGradients;
};

inline Gradients operator|(Gradients a, Gradients b) {
  return static_cast<Gradients>(static_cast<uint8_t>(a) | static_cast<uint8_t>(b));
}

extern template class Tape<float>;
extern template class Tape<double>;

}  // namespace antiphon
