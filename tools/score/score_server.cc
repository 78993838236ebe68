#include "tools/score/score_server.h"

#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/text.h"
#include "common/base/thread.h"
// Last: it brings resolv.h, whose macros break Eigen.
#include <httplib.h>

namespace antiphon {
namespace {

constexpr size_t kMaxBodyBytes = size_t{64} << 20;
constexpr char kJson[] = "application/json";

int HttpStatusOf(const Status& status) {
  return status.code() == StatusCode::kInvalidArgument || status.code() == StatusCode::kDataLoss
             ? 400
             : 500;
}

void Answer(const StatusOr<std::string>& answer, httplib::Response& response) {
  if (answer.ok()) {
    response.set_content(*answer, kJson);
    return;
  }
  response.status = HttpStatusOf(answer.status());
  const nlohmann::json error = {{"error", answer.status().message()}};
  response.set_content(error.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), kJson);
}

}  // namespace

struct ScoreServer::Http {
  httplib::Server server;
  int port = 0;
  std::unique_ptr<Thread> listener;
};

ScoreServer::ScoreServer(std::unique_ptr<Http> http) : http_(std::move(http)) {}

StatusOr<std::unique_ptr<ScoreServer>> ScoreServer::Start(const ScoreServerOptions& options,
                                                          ScoreService& service) {
  const size_t colon = options.address.rfind(':');
  const std::optional<uint64_t> port =
      colon == std::string::npos ? std::nullopt : ParseUint(options.address.substr(colon + 1));
  if (!port.has_value() || *port > 65535 || colon == 0) {
    return InvalidArgumentError("\"" + options.address +
                                "\" is no address, expected HOST:PORT such as 127.0.0.1:8080");
  }
  const std::string host = options.address.substr(0, colon);
  auto http = std::make_unique<Http>();
  httplib::Server& server = http->server;
  const auto threads = static_cast<size_t>(options.threads);
  server.new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
  server.set_payload_max_length(kMaxBodyBytes);
  // The body is read here: the library reads one that says it is a form, as curl's do, only so far.
  server.Post("/score", [&service](const httplib::Request&, httplib::Response& response,
                                   const httplib::ContentReader& read) {
    std::string body;
    read([&body](const char* bytes, size_t count) {
      body.append(bytes, count);
      return body.size() <= kMaxBodyBytes;
    });
    Answer(service.Score(body), response);
  });
  server.Get("/healthz", [&service](const httplib::Request&, httplib::Response& response) {
    response.set_content(service.Health(), kJson);
  });
  server.Get("/metrics", [&service](const httplib::Request&, httplib::Response& response) {
    response.set_content(service.Metrics(), "text/plain; version=0.0.4");
  });
  const bool bound = *port == 0 ? (http->port = server.bind_to_any_port(host)) > 0
                                : server.bind_to_port(host, static_cast<int>(*port));
  if (!bound) {
    return UnavailableError("cannot listen on " + options.address);
  }
  http->port = *port == 0 ? http->port : static_cast<int>(*port);
  http->listener = std::make_unique<Thread>("http", [&server] { server.listen_after_bind(); });
  return std::unique_ptr<ScoreServer>(new ScoreServer(std::move(http)));
}

int ScoreServer::port() const {
  return http_->port;
}

void ScoreServer::Stop() {
  http_->server.stop();
  http_->listener.reset();
}

ScoreServer::~ScoreServer() {
  Stop();
}

}  // namespace antiphon
