#include "models/tape/ranking_losses.h"

#include <algorithm>
#include <cmath>

#include "common/base/runs.h"
#include "models/tape/scalar_functions.h"

namespace antiphon {
namespace {

// Calls visit(better, worse, w_better w_worse) for every pair that counts.
template <typename T, typename Visit>
void ForEachPair(const Target<T>& target, size_t rows, Visit visit) {
  ForEachRun(target.request, rows, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      for (size_t j = begin; j < end && target.weight[i] != 0; ++j) {
        if (target.weight[j] != 0 && target.label[i] > target.label[j]) {
          visit(i, j, double{target.weight[i]} * target.weight[j]);
        }
      }
    }
  });
}

// The samples of one request that take part.
struct List {
  size_t begin = 0;
  size_t end = 0;
  double weight = 0;     // mean
  double label_sum = 0;  // more than 0
};

template <typename T, typename Visit>
void ForEachList(const Target<T>& target, size_t rows, Visit visit) {
  ForEachRun(target.request, rows, [&](size_t begin, size_t end) {
    List list{.begin = begin, .end = end};
    size_t count = 0;
    for (size_t i = begin; i < end; ++i) {
      if (target.weight[i] != 0) {
        ++count;
        list.weight += target.weight[i];
        list.label_sum += target.label[i];
      }
    }
    if (list.label_sum > 0) {
      list.weight /= static_cast<double>(count);
      visit(list);
    }
  });
}

// log sum exp of the scores of a list.
template <typename T>
double LogSum(const Target<T>& target, const T* score, const List& list) {
  double largest = -HUGE_VAL;
  for (size_t i = list.begin; i < list.end; ++i) {
    if (target.weight[i] != 0) {
      largest = std::max(largest, double{score[i]});
    }
  }
  double sum = 0;
  for (size_t i = list.begin; i < list.end; ++i) {
    if (target.weight[i] != 0) {
      sum += std::exp(score[i] - largest);
    }
  }
  return largest + std::log(sum);
}

}  // namespace

template <typename T>
double PairwiseLoss(Tape<T>& tape, const Var<T>& score, const Target<T>& target, const T* scale) {
  DCHECK(score.cols == 1 && score.contiguous());
  double loss = 0;
  bool any = false;
  ForEachPair(target, score.rows, [&](size_t i, size_t j, double weight) {
    loss += weight * Softplus(double{score.value[j]} - score.value[i]);
    any = true;
  });
  if (any) {
    tape.RecordLoss([score, target, scale](Tape<T>& t) {
      if (*scale == 0 || !t.Wants(score)) {
        return;
      }
      T* grad = t.Grad(score);
      ForEachPair(target, score.rows, [&](size_t i, size_t j, double weight) {
        const double slope =
            double{*scale} * weight * Sigmoid(double{score.value[j]} - score.value[i]);
        grad[i] -= static_cast<T>(slope);
        grad[j] += static_cast<T>(slope);
      });
    });
  }
  return loss;
}

template <typename T>
double ListwiseLoss(Tape<T>& tape, const Var<T>& score, const Target<T>& target, const T* scale) {
  DCHECK(score.cols == 1 && score.contiguous());
  double loss = 0;
  bool any = false;
  ForEachList(target, score.rows, [&](const List& list) {
    const double log_sum = LogSum(target, score.value, list);
    for (size_t i = list.begin; i < list.end; ++i) {
      if (target.weight[i] != 0) {
        loss += list.weight * target.label[i] / list.label_sum * (log_sum - score.value[i]);
      }
    }
    any = true;
  });
  if (any) {
    tape.RecordLoss([score, target, scale](Tape<T>& t) {
      if (*scale == 0 || !t.Wants(score)) {
        return;
      }
      T* grad = t.Grad(score);
      ForEachList(target, score.rows, [&](const List& list) {
        const double log_sum = LogSum(target, score.value, list);
        for (size_t i = list.begin; i < list.end; ++i) {
          if (target.weight[i] != 0) {
            const double share = std::exp(score.value[i] - log_sum);
            grad[i] += static_cast<T>(double{*scale} * list.weight *
                                      (share - target.label[i] / list.label_sum));
          }
        }
      });
    });
  }
  return loss;
}

double PairWeight(const Target<float>& target, size_t rows) {
  double sum = 0;
  ForEachPair(target, rows, [&sum](size_t, size_t, double weight) { sum += weight; });
  return sum;
}

double ListWeight(const Target<float>& target, size_t rows) {
  double sum = 0;
  ForEachList(target, rows, [&sum](const List& list) { sum += list.weight; });
  return sum;
}

#define AP_INSTANTIATE(T)                                                            \
  template double PairwiseLoss(Tape<T>&, const Var<T>&, const Target<T>&, const T*); \
  template double ListwiseLoss(Tape<T>&, const Var<T>&, const Target<T>&, const T*);
AP_INSTANTIATE(float)
AP_INSTANTIATE(double)
#undef AP_INSTANTIATE

}  // namespace antiphon
