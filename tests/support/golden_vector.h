// Reference vectors that tests/golden/vectors.py wrote.
#pragma once

#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

namespace antiphon {

inline nlohmann::json LoadVector(const std::string& name) {
  std::ifstream file(std::string(ANTIPHON_SOURCE_DIR) + "/tests/golden/models/" + name + ".json");
  return nlohmann::json::parse(file);
}

}  // namespace antiphon
