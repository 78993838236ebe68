// Ops on all pairs of embeddings, what factorisation machines are made of.
#pragma once

#include <cstdint>
#include <span>

#include "models/tape/tape.h"

namespace antiphon {

// b = sum of x_i * x_j over all pairs of fields, element by element, computed as
// ((sum x_i)^2 - sum x_i^2) / 2 (Rendle 2010). Field i is columns [begins[i], begins[i] + dim) of
// x. `begins` outlives the backward pass.
template <typename T>
Var<T> PairProducts(Tape<T>& tape, const Var<T>& x, std::span<const uint32_t> begins, uint32_t dim);

// The sum of each row, rows x 1.
template <typename T>
Var<T> SumColumns(Tape<T>& tape, const Var<T>& x);

// `weight` as n x n blocks, block (i, j) times scale[i * n + j]; n divides both its sides.
template <typename T>
Var<T> ScaleBlocks(Tape<T>& tape, const Var<T>& weight, const Var<T>& scale, uint32_t n);

}  // namespace antiphon
