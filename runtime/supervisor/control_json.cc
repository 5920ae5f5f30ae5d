#include <nlohmann/json.hpp>

#include "isolation/base/json.h"
#include "isolation/sys/file.h"
#include "isolation/sys/socket.h"
#include "runtime/supervisor/control.h"
#include "runtime/supervisor/limits.h"

namespace skiff::runtime {
namespace {
constexpr int64_t kMaxTimeoutSeconds = 86'400;
constexpr int64_t kMaxSignal = 64;
}  // namespace

std::string EncodeRequest(const ControlRequest& request) {
  nlohmann::json out;
  if (request.verb == ControlRequest::Verb::kStop) {
    out = {{"verb", "stop"}, {"reason", request.reason}};
    if (request.timeout) out["timeoutSeconds"] = request.timeout->count();
  } else {
    out = {{"verb", "signal"}, {"signal", request.signal}, {"container", request.container}};
  }
  return EncodeJson(out) + "\n";
}

Result<ControlRequest> DecodeRequest(std::string_view line) {
  JsonDocument document = TRY(JsonDocument::Parse(line, "control request", kMaxControlRequest));
  JsonCursor root = document.root();
  JsonCursor verb_member = TRY(root.Get("verb"));
  std::string verb = TRY(verb_member.String());
  ControlRequest request;
  if (verb == "stop") {
    std::optional<std::string> reason = TRY(root.FindString("reason"));
    std::optional<int64_t> timeout = TRY(root.FindInteger("timeoutSeconds", 0, kMaxTimeoutSeconds));
    request.reason = reason.value_or("");
    if (timeout) request.timeout = std::chrono::seconds(*timeout);
    return request;
  }
  if (verb != "signal") return verb_member.Invalid("unknown verb " + verb);
  request.verb = ControlRequest::Verb::kSignal;
  JsonCursor signal = TRY(root.Get("signal"));
  request.signal = static_cast<int>(TRY(signal.Integer(1, kMaxSignal)));
  std::optional<std::string> container = TRY(root.FindString("container"));
  request.container = container.value_or("");
  return request;
}

std::string EncodeAnswer(const Result<>& result) {
  nlohmann::json out;
  if (result.ok()) {
    out = {{"ok", true}};
  } else {
    out = {{"error", result.error().message()}};
  }
  return EncodeJson(out) + "\n";
}

Result<> SendRequest(const std::string& socket_path, const ControlRequest& request) {
  UniqueFd socket = TRY(sys::ConnectUnix(socket_path));
  TRY(sys::WriteAll(socket.get(), EncodeRequest(request), "control request"));
  std::string answer = TRY(sys::ReadAll(socket.get(), "control answer", Bytes(kMaxControlRequest)));
  JsonDocument document = TRY(JsonDocument::Parse(answer, "control answer"));
  std::optional<std::string> error = TRY(document.root().FindString("error"));
  if (error) return Error(Code::kConflict, *error);
  return {};
}

}  // namespace skiff::runtime
