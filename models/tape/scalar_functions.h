// Functions of one number that losses are made of, safe at any argument.
#pragma once

#include <algorithm>
#include <cmath>

namespace antiphon {

inline double Sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

// log(1 + exp(x))
inline double Softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

}  // namespace antiphon
