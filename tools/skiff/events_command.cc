// skiff events
#include "isolation/base/json.h"
#include "isolation/sys/file.h"
#include "isolation/sys/socket.h"
#include "tools/skiff/commands.h"
#include "tools/skiff/limits.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

Result<UniqueFd> Connect(const Events& options, const runtime::Roots& roots) {
  std::string path = options.socket.empty() ? roots.run + "/events.sock" : options.socket;
  Result<UniqueFd> fd = sys::ConnectUnix(path);
  if (fd.ok()) return fd;
  bool is_absent = fd.error().code() == Code::kNotFound || fd.error().sys_errno() == ECONNREFUSED;
  if (!is_absent) return std::move(fd).error();
  return Error(Code::kUnavailable, path + ": nobody listens: is skiffd running?");
}

std::string TextOr(const JsonCursor& at, std::string_view name, std::string_view fallback) {
  std::optional<std::string> text = at.FindString(name).ValueOr(std::nullopt);
  return text.value_or(std::string(fallback));
}

// "2026-01-31T12:00:00.123Z  3f2a9c01b7d4  web:3  RUNNING  (wanted: STOPPED)  reason"
Result<std::string> RowOf(std::string_view line) {
  JsonDocument document = TRY(JsonDocument::Parse(line, "event"));
  JsonCursor detail = TRY(document.root().Get("detail"));
  std::string arn = TextOr(detail, "taskArn", "");
  std::string definition = TextOr(detail, "taskDefinitionArn", "");
  std::string last = TextOr(detail, "lastStatus", "");
  std::string desired = TextOr(detail, "desiredStatus", "");
  std::string row = TextOr(detail, "updatedAt", "") + "  ";
  row += arn.substr(arn.rfind('/') + 1).substr(0, kShownIdLength) + "  ";
  row += definition.substr(definition.rfind('/') + 1) + "  " + last;
  if (desired != last && last != "STOPPED") row += "  (wanted: " + desired + ")";
  std::string reason = TextOr(detail, "stoppedReason", "");
  if (!reason.empty()) row += "  " + reason;
  return Printable(row);
}

Result<> PrintLine(std::string_view line, bool is_json) {
  if (is_json) {
    Print(std::string(line) + "\n");
  } else {
    std::string row = TRY(RowOf(line));
    Print(row + "\n");
  }
  return Flush();
}

}  // namespace

// Until the daemon ends or the reader does.
Result<int> Carry(const Events& options, const runtime::Roots& roots) {
  UniqueFd fd = TRY(Connect(options, roots));
  std::string pending;
  std::string buffer(kEventReadSize, '\0');
  for (;;) {
    size_t size = TRY(sys::Read(fd.get(), buffer.data(), buffer.size()));
    if (size == 0) return Error(Code::kUnavailable, "skiffd closed the connection");
    pending.append(buffer, 0, size);
    size_t begin = 0;
    for (size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1) {
      TRY(PrintLine(std::string_view(pending).substr(begin, end - begin), options.is_json));
    }
    pending.erase(0, begin);
  }
}

}  // namespace skiff::tools
