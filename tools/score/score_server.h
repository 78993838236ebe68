// ScoreServer: the HTTP face of a ScoreService.
//
//   POST /score     samples in, predictions out
//   GET  /healthz   what is served
//   GET  /metrics   for Prometheus
//
// Owned by one thread, which starts and stops it; requests run on threads of the HTTP library.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/status.h"
#include "tools/score/score_service.h"

namespace antiphon {

struct ScoreServerOptions {
  std::string address;  // HOST:PORT; port 0 takes a free one
  int threads = 1;      // requests at the same time
};

class ScoreServer {
 public:
  // Listens. kInvalidArgument: no such address; kUnavailable: it is taken. `service` outlives the
  // server.
  static StatusOr<std::unique_ptr<ScoreServer>> Start(const ScoreServerOptions& options,
                                                      ScoreService& service);
  ~ScoreServer();
  ScoreServer(const ScoreServer&) = delete;
  ScoreServer& operator=(const ScoreServer&) = delete;

  int port() const;
  // Ends once the requests that are under way have been answered.
  void Stop();

 private:
  // The library's header does not mix with Eigen's, so it stays in the source.
  struct Http;
  explicit ScoreServer(std::unique_ptr<Http> http);

  std::unique_ptr<Http> http_;
};

}  // namespace antiphon
