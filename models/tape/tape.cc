#include "models/tape/tape.h"

#include <algorithm>

namespace antiphon {

template <typename T>
void Tape<T>::Reset(Recording record) {
  arena_.Reset();
  records_.clear();
  buffers_.clear();
  recording_ = record == Recording::kYes;
}

template <typename T>
Var<T> Tape<T>::Constant(const T* value, size_t rows, size_t cols) {
  return Leaf(value, rows, cols, kNoGradients, nullptr);
}

template <typename T>
Var<T> Tape<T>::Leaf(const T* value, size_t rows, size_t cols, Gradients depends,
                     GradBuffer<T>* buffer) {
  Var<T> var;
  var.value = const_cast<T*>(value);  // so that one type serves leaves and results
  var.rows = static_cast<uint32_t>(rows);
  var.cols = static_cast<uint32_t>(cols);
  var.stride = var.cols;
  if (recording_ && buffer != nullptr) {
    DCHECK_EQ(buffer->size, rows * cols);
    var.grad = buffer->data;
    var.buffer = buffer;
    var.depends = depends;
  }
  return var;
}

template <typename T>
Var<T> Tape<T>::New(size_t rows, size_t cols, Gradients depends) {
  Var<T> var;
  var.value = arena_.AllocateArray<T>(rows * cols);
  var.rows = static_cast<uint32_t>(rows);
  var.cols = static_cast<uint32_t>(cols);
  var.stride = var.cols;
  if (recording_ && depends != kNoGradients) {
    var.depends = depends;
    var.grad = arena_.AllocateArray<T>(rows * cols);
    var.buffer = new (arena_.Allocate(sizeof(GradBuffer<T>)))
        GradBuffer<T>{.data = var.grad, .size = rows * cols, .live = false};
    buffers_.push_back(var.buffer);
  }
  return var;
}

template <typename T>
T* Tape<T>::Grad(const Var<T>& x) const {
  if (!x.buffer->live) {
    std::fill_n(x.buffer->data, x.buffer->size, T{0});
    x.buffer->live = true;
  }
  return x.grad;
}

template <typename T>
T Tape<T>::GradBeta(const Var<T>& x) const {
  if (!x.buffer->live && x.size() == x.buffer->size) {
    x.buffer->live = true;
    return 0;
  }
  Grad(x);
  return 1;
}

template <typename T>
void Tape<T>::Backward(Gradients wanted) {
  RunBack(0, records_.size(), wanted);
}

template <typename T>
void Tape<T>::BackwardAbove(const TapeMark& mark, Gradients wanted) {
  RunBack(mark.records, records_.size(), wanted);
}

template <typename T>
void Tape<T>::BackwardBelow(const TapeMark& mark, Gradients wanted) {
  RunBack(0, mark.records, wanted);
}

template <typename T>
void Tape<T>::RunBack(size_t begin, size_t end, Gradients wanted) {
  wanted_ = wanted;
  for (size_t i = end; i-- > begin;) {
    const RecordedOp& record = records_[i];
    if (record.result == nullptr || record.result->live) {
      record.back(*this, record.op);
    }
  }
}

template <typename T>
void Tape<T>::DropGradientsAbove(const TapeMark& mark) {
  for (size_t i = mark.buffers; i < buffers_.size(); ++i) {
    buffers_[i]->live = false;
  }
}

template class Tape<float>;
template class Tape<double>;

}  // namespace antiphon
