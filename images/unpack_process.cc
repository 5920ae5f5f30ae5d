#include "images/unpack_process.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "images/limits.h"
#include "images/unpack_program.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "isolation/sys/socket.h"

namespace skiff::images {
namespace {

constexpr const char* kProgram = "skiff-unpack";

// Beside this program: the two are of one build.
Result<std::string> FindProgram() {
#ifdef SKIFF_FAILPOINTS
  if (const char* path = getenv("SKIFF_UNPACK")) return std::string(path);
#endif
  std::error_code failure;
  std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return Error::FromErrno(failure.value(), "readlink /proc/self/exe");
  std::string path = (own.parent_path() / kProgram).string();
  if (!sys::Exists(AT_FDCWD, path)) return Error(Code::kNotFound, path + ": no such program");
  return path;
}

// An image's process gets none of our variables, but those that tests steer it with.
std::vector<std::string> Environment() {
  std::vector<std::string> variables;
#ifdef SKIFF_FAILPOINTS
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (std::string_view(*entry).starts_with("SKIFF_FAILPOINT")) variables.emplace_back(*entry);
  }
#endif
  return variables;
}

struct Unpacker {
  sys::Process process;
  UniqueFd input;   // a stream socket: a pipe would answer a dead reader with a signal
  UniqueFd answer;  // read end

  // Whatever happened, no process stays behind.
  ~Unpacker() {
    if (!process.pidfd.valid()) return;
    sys::SignalPidfd(process.pidfd.get(), SIGKILL).Ignore();
    sys::WaitPidfd(process.pidfd.get(), true).ValueOr(std::nullopt);
  }
};

Result<> Start(const LayerPlace& place, Unpacker* unpacker) {
  sys::SpawnSpec spec;
  spec.path = TRY(FindProgram());
  spec.arguments = {kProgram, std::to_string(place.most.count()), place.directory};
  spec.arguments.insert(spec.arguments.end(), place.lower.begin(), place.lower.end());
  spec.environment = Environment();
  sys::SocketPair input = TRY(sys::MakeSocketPair());
  sys::Pipe answer = TRY(sys::MakePipe());
  spec.fds = {input.theirs.get(), answer.write_end.get(), STDERR_FILENO, place.lower_ready,
              place.list};
  unpacker->process = TRY(sys::Spawn(spec));
  unpacker->input = std::move(input.ours);
  unpacker->answer = std::move(answer.read_end);
  return {};
}

// False: the process does not read any more, which its answer will explain.
Result<bool> Feed(std::string_view piece, int input) {
  Result<> sent = sys::SendAll(input, piece);
  if (sent.ok()) return true;
  if (sent.error().sys_errno() == EPIPE || sent.error().sys_errno() == ECONNRESET) return false;
  return std::move(sent).error();
}

Result<> FeedAll(ByteSource* file, Unpacker* unpacker) {
  for (;;) {
    std::string_view piece = TRY(file->Next());
    if (piece.empty()) break;
    bool is_read = TRY(Feed(piece, unpacker->input.get()));
    if (!is_read) break;
  }
  unpacker->input.Reset();
  return {};
}

}  // namespace

Result<PlainLayer> UnpackConfined(ByteSource* file, const LayerPlace& place) {
  Unpacker unpacker;
  TRY(Start(place, &unpacker));
  TRY(FeedAll(file, &unpacker));
  std::string line =
      TRY(sys::ReadAll(unpacker.answer.get(), "skiff-unpack's answer", Bytes(kMaxUnpackAnswer)));
  if (!line.empty()) return DecodeAnswer(line);
  std::optional<sys::ExitStatus> ended = TRY(sys::WaitPidfd(unpacker.process.pidfd.get(), true));
  unpacker.process.pidfd.Reset();
  return Error(Code::kExhausted, "skiff-unpack ended without an answer, status " +
                                     std::to_string(ended.value_or(sys::ExitStatus()).ShellCode()) +
                                     ": out of memory, or killed");
}

}  // namespace skiff::images
