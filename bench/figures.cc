#include "bench/figures.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sys/utsname.h>
#include <thread>

namespace antiphon {

double Quantile(std::vector<double> values, double share) {
  if (values.empty()) {
    return 0;
  }
  std::sort(values.begin(), values.end());
  const auto at = static_cast<size_t>(std::lround(share * static_cast<double>(values.size() - 1)));
  return values[at];
}

double Median(std::vector<double> values) {
  return Quantile(std::move(values), 0.5);
}

std::string DescribeMachine() {
  std::string model = "unknown processor";
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) {
      model = line.substr(line.find(':') + 2);
      break;
    }
  }
  utsname name{};
  uname(&name);
  return model + ", " + std::to_string(std::thread::hardware_concurrency()) + " cores, " +
         name.sysname + " " + name.release;
}

std::string CommandOf(int argc, char** argv) {
  std::string command;
  for (int i = 0; i < argc; ++i) {
    command += (i > 0 ? " " : "") + std::string(argv[i]);
  }
  return command;
}

void PrintHeading(const std::string& command) {
  std::printf("machine: %s\ncommand: %s\n", DescribeMachine().c_str(), command.c_str());
}

void PrintFigure(const std::string& name, double work, const std::vector<double>& seconds) {
  std::printf("%-40s min %.2f  median %.2f  max %.2f\n", name.c_str(),
              work / Quantile(seconds, 1.0), work / Median(seconds), work / Quantile(seconds, 0.0));
}

}  // namespace antiphon
