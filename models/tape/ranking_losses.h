// Losses that compare the samples of one request with each other.
//
// Samples of a request stand together: a run of rows with the same Target::request. A row of weight
// 0 takes no part. As LogLoss in what they return and in `scale`; what a mean over them is divided
// by, PairWeight or ListWeight, is theirs to say.
#pragma once

#include <cstddef>

#include "models/tape/loss_ops.h"

namespace antiphon {

// sum w_i w_j log(1 + exp(-(s_i - s_j))) over the pairs of a request with y_i > y_j. (RankNet,
// Burges et al. 2005; with one positive a pair, BPR, Rendle et al. 2009.)
template <typename T>
double PairwiseLoss(Tape<T>& tape, const Var<T>& score, const Target<T>& target, const T* scale);

// sum over requests w (-sum_i y_i / sum y  log softmax(s)_i), where w is the mean weight of the
// request's samples and y >= 0. A request whose labels are all 0 takes no part. (ListNet's top one,
// Cao et al. 2007.)
template <typename T>
double ListwiseLoss(Tape<T>& tape, const Var<T>& score, const Target<T>& target, const T* scale);

// The sum of w_i w_j over the pairs, and of w over the requests.
double PairWeight(const Target<float>& target, size_t rows);
double ListWeight(const Target<float>& target, size_t rows);

}  // namespace antiphon
