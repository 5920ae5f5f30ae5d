#include "runtime/supervisor/control_server.h"

#include <cerrno>

#include "isolation/sys/file.h"
#include "isolation/sys/socket.h"

namespace skiff::runtime {

Result<> ControlServer::Listen(const std::string& path) {
  listener_ = TRY(sys::ListenUnix(path, kControlBacklog));
  loop_->Accept(listener_.get(), sys::Repeat::kMultishot, accept_);
  return {};
}

void ControlServer::OnAccept(int result, unsigned flags) {
  if (result >= 0) {
    UniqueFd fd(result);
    if (connections_.size() < kMaxControlConnections) {
      Connection& connection = connections_.emplace_front();
      connection.server = this;
      connection.fd = std::move(fd);
      connection.place = connections_.begin();
      loop_->Read(connection.fd.get(), connection.buffer, sizeof(connection.buffer), connection);
    }
  }
  bool is_armed = (flags & sys::Completion::kMore) != 0;
  if (!is_armed && result != -ECANCELED)
    loop_->Accept(listener_.get(), sys::Repeat::kMultishot, accept_);
}

void ControlServer::Connection::OnComplete(int result, unsigned /*flags*/) {
  server->Answer(*this, result);
}

// A request is one short line and arrives in one piece from SendRequest; a client that dribbles is
// told so.
void ControlServer::Answer(Connection& connection, int size) {
  if (size > 0) {
    std::string_view line(connection.buffer, static_cast<size_t>(size));
    Result<ControlRequest> request = DecodeRequest(line);
    Result<> result =
        request.ok() ? handler_(request.value()) : Result<>(std::move(request).error());
    sys::WriteAll(connection.fd.get(), EncodeAnswer(result), "control answer").Ignore();
  }
  connections_.erase(connection.place);
}

}  // namespace skiff::runtime
