// Numbers in the fields of a row: the whole field is one number, blanks around it are fine. Pure
// functions; no allocation.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/data/bad_row_reason.h"

namespace antiphon {

// kBadNumber for junk or nothing, kNotFinite for infinities, NaN and numbers past a double.
BadRowReason ReadNumber(std::string_view text, double& value);

// kBadNumber also for a number that does not fit.
BadRowReason ReadWhole(std::string_view text, int64_t& value);
BadRowReason ReadWhole(std::string_view text, uint64_t& value);

}  // namespace antiphon
