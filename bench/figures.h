// What every benchmark prints: the machine, the command, and of each figure the median and spread.
#pragma once

#include <string>
#include <vector>

namespace antiphon {

double Median(std::vector<double> values);
double Quantile(std::vector<double> values, double share);

// Processor, cores and kernel.
std::string DescribeMachine();

// What was typed, for the heading and the report.
std::string CommandOf(int argc, char** argv);

void PrintHeading(const std::string& command);

// `work` units were done in each of `seconds`: prints min / median / max of the rate.
void PrintFigure(const std::string& name, double work, const std::vector<double>& seconds);

}  // namespace antiphon
