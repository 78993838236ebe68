// ParseFlags: gflags for our mains, with errors and an exit code of the project's kind.
//
// gflags itself prints its own texts and exits with 1. Only a *main.cc includes this header; its
// binary links gflags.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gflags/gflags.h>

#include "common/base/exit_code.h"
#include "common/base/status.h"
#include "common/base/text.h"

namespace antiphon {

// Prints `program: error: message` and returns the exit code of the status.
inline int ExitWith(std::string_view program, const Status& status) {
  if (!status.ok()) {
    std::cerr << program << ": error: " << status.message() << "\n";
  }
  return static_cast<int>(ExitCodeFor(status));
}

namespace command_line_internal {

// The flags that mains define, and glog's --log_dir, which a main therefore cannot define again;
// none of the others of gflags and glog.
inline std::vector<gflags::CommandLineFlagInfo> OwnFlags() {
  std::vector<gflags::CommandLineFlagInfo> all;
  gflags::GetAllFlags(&all);
  std::vector<gflags::CommandLineFlagInfo> own;
  for (gflags::CommandLineFlagInfo& flag : all) {
    if (flag.filename.ends_with("main.cc") || flag.name == "log_dir") {
      own.push_back(std::move(flag));
    }
  }
  return own;
}

inline Status UnknownFlag(std::string_view name) {
  std::vector<std::string> names;
  for (const gflags::CommandLineFlagInfo& flag : OwnFlags()) {
    names.push_back(flag.name);
  }
  const std::string nearest = NearestName(name, names);
  return InvalidArgumentError("unknown flag --" + std::string(name) +
                              (nearest.empty() ? "" : ", did you mean --" + nearest + "?") +
                              "; --help lists them");
}

inline void PrintHelp(std::string_view program, std::string_view about) {
  std::cout << program << ": " << about << "\n\n";
  for (const gflags::CommandLineFlagInfo& flag : OwnFlags()) {
    std::cout << "  --" << flag.name << " (" << flag.type << ", default "
              << (flag.default_value.empty() ? "none" : flag.default_value) << ")\n      "
              << flag.description << "\n";
  }
}

// Sets one of our flags from text.
inline Status SetFlag(const std::string& name, const std::string& value) {
  if (gflags::SetCommandLineOption(name.c_str(), value.c_str()).empty()) {
    return InvalidArgumentError("--" + name + "=" + value + ": expected " +
                                gflags::GetCommandLineFlagInfoOrDie(name.c_str()).type);
  }
  return Status();
}

// `--name=value` or `--name`, taken apart.
struct Argument {
  std::string name;
  std::optional<std::string> value;
};

inline StatusOr<Argument> TakeApart(std::string_view argument) {
  if (!argument.starts_with("-") || argument == "-" || argument == "--") {
    return InvalidArgumentError("unexpected argument '" + std::string(argument) +
                                "', expected --flag=value; --help lists the flags");
  }
  const std::string_view text = argument.substr(argument.starts_with("--") ? 2 : 1);
  const size_t equals = text.find('=');
  Argument parts;
  parts.name = std::string(text.substr(0, equals));
  if (equals != std::string_view::npos) {
    parts.value = std::string(text.substr(equals + 1));
  }
  return parts;
}

// Turns a switch without a value, `--name` or `--noname`, into one with a value. False when no
// flag of ours has the name.
inline bool Resolve(Argument& argument) {
  for (const gflags::CommandLineFlagInfo& flag : OwnFlags()) {
    const bool is_switch = flag.type == "bool" && !argument.value.has_value();
    if (flag.name == argument.name) {
      if (is_switch) {
        argument.value = "true";
      }
      return true;
    }
    if (is_switch && argument.name == "no" + flag.name) {
      argument = {.name = flag.name, .value = "false"};
      return true;
    }
  }
  return false;
}

}  // namespace command_line_internal

// A flag that may be given many times: gflags keeps only the last value, `values` keeps all.
struct RepeatedFlag {
  std::string_view name;
  std::vector<std::string>* values;
};

// Reads `--name=value`, `--name value`, `--name` and `--noname` for switches, and `--help`, which
// prints and exits. Anything else, and a flag given twice, is kInvalidArgument. The flags that may
// repeat need no DEFINE_; they are explained in `about`.
inline Status ParseFlags(std::span<char* const> arguments, std::string_view program,
                         std::string_view about, std::span<const RepeatedFlag> repeated = {}) {
  std::set<std::string> given;
  for (size_t i = 1; i < arguments.size(); ++i) {
    AP_ASSIGN_OR_RETURN(command_line_internal::Argument argument,
                        command_line_internal::TakeApart(arguments[i]));
    if (argument.name == "help") {
      command_line_internal::PrintHelp(program, about);
      std::exit(0);  // NOLINT(concurrency-mt-unsafe): no other thread yet
    }
    const auto repeats =
        std::find_if(repeated.begin(), repeated.end(),
                     [&argument](const RepeatedFlag& flag) { return flag.name == argument.name; });
    if (repeats == repeated.end() && !command_line_internal::Resolve(argument)) {
      return command_line_internal::UnknownFlag(argument.name);
    }
    if (!argument.value.has_value()) {
      if (i + 1 == arguments.size()) {
        return InvalidArgumentError("--" + argument.name + " needs a value: --" + argument.name +
                                    "=...");
      }
      argument.value = arguments[++i];
    }
    if (repeats != repeated.end()) {
      repeats->values->push_back(*argument.value);
      continue;
    }
    if (!given.insert(argument.name).second) {
      return InvalidArgumentError("--" + argument.name + " is given twice");
    }
    AP_RETURN_IF_ERROR(command_line_internal::SetFlag(argument.name, *argument.value));
  }
  return Status();
}

}  // namespace antiphon
