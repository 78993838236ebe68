#include "serving/freshness.h"

namespace antiphon {

int64_t CutMs(const Signature& signature) {
  return signature.has_cut_ms() ? signature.cut_ms() : signature.created_seconds() * 1000;
}

StatusOr<AgeHistogram> FreshnessOf(const Signature& signature, int64_t visible_ms) {
  AP_ASSIGN_OR_RETURN(const AgeHistogram at_cut, AgeHistogram::FromProto(signature.sample_ages()));
  AgeHistogram visible;
  visible.MergeOlder(at_cut, visible_ms - CutMs(signature));
  return visible;
}

}  // namespace antiphon
