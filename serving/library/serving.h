// antiphon_serving: scores samples with a version that ps_export wrote. Installed as
// <antiphon/serving.h>; find_package(antiphon) gives the target antiphon::serving.
//
// This header needs the standard library alone. Nothing throws: what can fail returns null or
// false and puts into `error` what went wrong, where, and what was expected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace antiphon::serving {

// A version, its tables mapped into memory. Frozen: any thread may read.
class Version {
 public:
  // Reads and checks every byte. Null when a file is missing, torn, or of another version.
  static std::unique_ptr<Version> Open(const std::string& folder, std::string* error);
  ~Version();

  const std::string& model_name() const;
  uint64_t number() const;  // of the snapshot that it is of
  // What comes out of a scorer, in this order.
  const std::vector<std::string>& tasks() const;
  // The input fields that a sample is read for, in the order in which a scorer takes them.
  const std::vector<std::string>& fields() const;

  static constexpr int kNoTable = -1;
  int FindTable(std::string_view name) const;
  uint32_t dim(int table) const;
  uint64_t rows(int table) const;
  // The rows of all keys, dim(table) floats each one behind the other, zeros where there is none.
  // Returns how many there were.
  size_t Lookup(int table, std::span<const uint64_t> keys, float* weights) const;

 private:
  friend class Scorer;
  friend class Follower;
  struct Inside;
  explicit Version(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

// A directory of versions of which one is current, kept open at the newest. A version that cannot
// be served (torn, missing, of another model, older than what is served) changes nothing but
// failures(). Guarded: any thread may call it.
class Follower {
 public:
  // Looks every `refresh_ms` on a thread of its own; 0: only when Refresh is called. Null when
  // there is no version that can be served yet.
  static std::unique_ptr<Follower> Open(const std::string& directory, int refresh_ms,
                                        std::string* error);
  ~Follower();

  // The newest; stays whole for as long as it is held. Takes a lock: see Reader.
  std::shared_ptr<const Version> current() const;

  // Looks now. False: there is something newer and it cannot be served.
  bool Refresh(std::string* error);

  uint64_t failures() const;       // of refreshes, since Open
  std::string last_error() const;  // empty: there was none
  // From a sample's event to its being in what is served, in seconds: the share `q` of all samples
  // that came in with versions since Open took no longer. Not a number before the first.
  double freshness_seconds(double q) const;

 private:
  friend class Reader;
  struct Inside;
  explicit Follower(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

// A follower's newest version, for one thread: without a lock while there is nothing newer.
class Reader {
 public:
  // `follower` outlives the reader.
  explicit Reader(const Follower& follower);
  ~Reader();

  // Stays what it is until this is called again: a request that asks once sees one version.
  const std::shared_ptr<const Version>& current();

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

// An input of model.onnx. One of the two lists has the values.
struct Tensor {
  std::string name;
  std::vector<int64_t> dims;
  std::vector<float> floats;
  std::vector<int64_t> wholes;
};

// Turns samples into predictions, or into the inputs of model.onnx. Owned by one thread.
class Scorer {
 public:
  static std::unique_ptr<Scorer> Create(const Version& version, std::string* error);
  ~Scorer();

  // Scores by another version from now on; call it when no samples are added. Costs nothing for the
  // version that is used already, and allocates nothing for another one of its chain. After an
  // error the one before goes on.
  bool Use(const Version& version, std::string* error);

  // Adds a sample: the texts of Version::fields(). One that cannot be scored is not added.
  bool Add(std::span<const std::string_view> texts, std::string* error);
  size_t samples() const;

  // Of the samples that were added, of which then there are none. By task, by sample: a
  // probability, the number of a regression, the score of a ranking. By the trainer's own forward
  // pass. Valid until the next call.
  const std::vector<std::vector<float>>& Score();

  // The same samples as the inputs of model.onnx, for another engine.
  std::vector<Tensor> Assemble();

 private:
  struct Inside;
  explicit Scorer(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace antiphon::serving
