#include "common/data/bad_row_reason.h"

namespace antiphon {

std::string_view BadRowReasonText(BadRowReason reason) {
  switch (reason) {
    case BadRowReason::kNone:
      return "none";
    case BadRowReason::kColumnCount:
      return "wrong number of columns";
    case BadRowReason::kOpenQuote:
      return "quote that is not closed";
    case BadRowReason::kLineTooLong:
      return "line too long";
    case BadRowReason::kBadNumber:
      return "not a number";
    case BadRowReason::kNotFinite:
      return "number not finite";
    case BadRowReason::kValueCount:
      return "wrong number of values in a vector";
    case BadRowReason::kTooManyValues:
      return "too many values";
    case BadRowReason::kIdOutOfRange:
      return "id out of range";
    case BadRowReason::kBadLabel:
      return "label not 0 or 1";
    case BadRowReason::kLabelOutOfRange:
      return "label out of range";
    case BadRowReason::kImpossibleLabels:
      return "conversion without click";
    case BadRowReason::kUnknownScene:
      return "unknown scene";
    case BadRowReason::kBadWeight:
      return "weight negative";
    case BadRowReason::kNoRequest:
      return "no request";
    case BadRowReason::kDamaged:
      return "damaged record";
    case BadRowReason::kChecksum:
      return "checksum does not match";
  }
  return "unknown";
}

}  // namespace antiphon
