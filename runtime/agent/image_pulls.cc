#include "runtime/agent/image_pulls.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>

#include "images/reference.h"
#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "runtime/agent/limits.h"
#include "runtime/agent/own_program.h"

namespace skiff::runtime {
namespace {

constexpr const char* kProgram = "skiff";
constexpr std::string_view kErrorPrefix = "skiff: image pull: ";

// The last line it wrote, as the command line writes errors.
std::string LastLine(int fd) {
  std::string text;
  char buffer[4096];
  while (text.size() < kMaxPullErrors.count()) {
    Result<size_t> count = sys::Read(fd, buffer, sizeof(buffer));
    if (!count.ok() || count.value() == 0) break;
    text.append(buffer, count.value());
  }
  std::string line(TrimSpace(text));
  line = line.substr(line.find_last_of('\n') + 1);
  return line.starts_with(kErrorPrefix) ? line.substr(kErrorPrefix.size()) : line;
}

// An id names content, not a place to fetch it from.
bool HasPlace(const std::string& image) { return !image.starts_with("sha256:"); }

}  // namespace

ImagePulls::ImagePulls(sys::EventLoop& loop, std::string data_root,
                       std::function<void(const TaskId&)> wake)
    : loop_(loop), data_root_(std::move(data_root)), wake_(std::move(wake)) {}

ImagePulls::~ImagePulls() {
  for (auto& [image, pull] : pulls_) {
    if (!pull->process.pidfd.valid()) continue;
    sys::SignalPidfd(pull->process.pidfd.get(), SIGKILL).Ignore();
    sys::WaitPidfd(pull->process.pidfd.get(), true).ValueOr(std::nullopt);
  }
}

Result<> ImagePulls::Await(const std::string& image, const TaskId& task) {
  auto known = ended_.find(task);
  if (known != ended_.end() && known->second.contains(image)) {
    const std::optional<Error>& failure = known->second.at(image);
    if (failure) return *failure;
    return Error(Code::kNotFound, "image " + image + " was pulled, and is gone again");
  }
  if (!HasPlace(image)) {
    return Error(Code::kNotFound, "image " + image + ": not found; an id cannot be pulled");
  }
  TRY(images::ImageReference::Parse(image));  // what is none might be a flag
  std::unique_ptr<Pull>& pull = pulls_[image];
  if (!pull) {
    pull = std::make_unique<Pull>();
    pull->owner = this;
    pull->image = image;
    queue_.push_back(image);
  }
  pull->waiting.insert(task);
  BeginNext();
  return {};
}

void ImagePulls::Forget(const TaskId& task) {
  ended_.erase(task);
  for (auto next = pulls_.begin(); next != pulls_.end();) {
    auto current = next++;
    Pull& pull = *current->second;
    if (pull.waiting.erase(task) == 0 || !pull.waiting.empty()) continue;
    if (pull.process.pidfd.valid()) {
      sys::SignalPidfd(pull.process.pidfd.get(), SIGKILL).Ignore();
      pull.is_killed = true;  // it goes when its end is seen
    } else {
      std::erase(queue_, pull.image);
      pulls_.erase(current);
    }
  }
}

void ImagePulls::BeginNext() {
  while (!queue_.empty() && running_ < kMaxParallelPulls) {
    Pull& pull = *pulls_.at(queue_.front());
    queue_.pop_front();
    Result<> begun = Begin(pull);
    if (begun.ok()) continue;
    Tell(pull, std::move(begun).error());
    pulls_.erase(std::string(pull.image));
  }
}

Result<> ImagePulls::Begin(Pull& pull) {
  sys::SpawnSpec spec;
  spec.path = TRY(FindOwnProgram(kProgram, "SKIFF_PROGRAM"));
  UniqueFd null = TRY(sys::Open(AT_FDCWD, "/dev/null", O_RDWR));
  sys::Pipe errors = TRY(sys::MakePipe(O_NONBLOCK));
  spec.arguments = {kProgram, "--data-root", data_root_, "image", "pull", "--quiet", pull.image};
  spec.environment = OwnEnvironment();
  spec.fds = {null.get(), null.get(), errors.write_end.get()};
  spec.new_session = true;
  pull.process = TRY(sys::Spawn(spec));
  pull.errors = std::move(errors.read_end);
  ++running_;
  loop_.Poll(pull.process.pidfd.get(), POLLIN, sys::Repeat::kOnce, pull);
  return {};
}

void ImagePulls::Pull::OnComplete(int result, unsigned /*flags*/) {
  if (result != -ECANCELED) owner->Finish(*this);
}

void ImagePulls::Finish(Pull& pull) {
  Result<std::optional<sys::ExitStatus>> status = sys::WaitPidfd(pull.process.pidfd.get(), true);
  --running_;
  std::unique_ptr<Pull> ended = std::move(pulls_.at(pull.image));
  pulls_.erase(ended->image);
  bool has_succeeded = status.ok() && status.value() && status.value()->ShellCode() == 0;
  if (ended->is_killed) {
    // Somebody came after the kill: they begin anew.
    for (const TaskId& task : ended->waiting) wake_(task);
  } else if (has_succeeded) {
    Tell(*ended, std::nullopt);
  } else {
    std::string words = LastLine(ended->errors.get());
    if (words.empty()) words = "pull image " + ended->image + ": its process ended without a word";
    Tell(*ended, Error(Code::kUnavailable, words));
  }
  BeginNext();
}

void ImagePulls::Tell(Pull& pull, const std::optional<Error>& failure) {
  for (const TaskId& task : pull.waiting) {
    ended_[task].insert_or_assign(pull.image, failure);
    wake_(task);
  }
}

}  // namespace skiff::runtime
