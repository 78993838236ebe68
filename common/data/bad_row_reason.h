// Why a row of the data is not trained on. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace antiphon {

enum class BadRowReason : uint8_t {
  kNone,  // the row is fine
  kColumnCount,
  kOpenQuote,
  kLineTooLong,
  kBadNumber,
  kNotFinite,
  kValueCount,  // a vector with more or fewer numbers than raw_input_dim
  kTooManyValues,
  kIdOutOfRange,
  kBadLabel,
  kLabelOutOfRange,  // not what the loss of its tower takes
  kImpossibleLabels,
  kUnknownScene,
  kBadWeight,
  kNoRequest,
  kDamaged,   // not a record of its format
  kChecksum,  // its bytes have changed since they were written
};
inline constexpr int kBadRowReasonCount = 17;

// "wrong number of columns": stands in logs, in the side file and in metrics.
std::string_view BadRowReasonText(BadRowReason reason);

}  // namespace antiphon
