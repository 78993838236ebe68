// Writes metrics in Prometheus' text format.
#pragma once

#include <ostream>
#include <string_view>

namespace antiphon {

// What comes before the lines of a metric.
inline void WriteMetricHead(std::ostream& out, std::string_view name, std::string_view type,
                            std::string_view help) {
  out << "# HELP " << name << " " << help << "\n# TYPE " << name << " " << type << "\n";
}

}  // namespace antiphon
