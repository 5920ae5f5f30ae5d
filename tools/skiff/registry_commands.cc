// skiff image pull, skiff login, skiff logout
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <vector>

#include "images/reference.h"
#include "images/registry/credentials.h"
#include "images/registry/pull.h"
#include "images/registry/repository.h"
#include "images/store.h"
#include "isolation/base/scope_exit.h"
#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "tools/skiff/commands.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

namespace registry = images::registry;

constexpr Bytes kMaxPassword = Bytes::KiB(64);

Result<registry::Settings> SettingsFor(const std::string& host, bool is_verified) {
  registry::Settings settings = TRY(registry::LoadSettings());
  if (!is_verified) settings.registries[host].is_insecure = true;
  return settings;
}

// One line a layer: at a terminal lines that are written over, otherwise one when it is done.
class PullProgress {
 public:
  explicit PullProgress(bool is_terminal) : is_terminal_(is_terminal) {}

  void Show(const images::ImportProgress& progress) {
    std::string line = Line(progress);
    bool is_percent = progress.step == images::ImportProgress::Step::kUnpacking;
    if (lines_.empty()) lines_.resize(progress.layers);
    std::string& known = lines_[progress.layer - 1];
    if (line == known || (is_percent && !is_terminal_)) return;
    known = line;
    if (!is_terminal_) return PrintError(line + "\n");
    // Over what was drawn before.
    std::string screen;
    if (is_drawn_) screen = "\033[" + std::to_string(lines_.size()) + "A";
    for (const std::string& text : lines_) screen += "\r\033[K" + text + "\n";
    is_drawn_ = true;
    PrintError(screen);
  }

 private:
  static std::string Line(const images::ImportProgress& progress) {
    using Step = images::ImportProgress::Step;
    std::string line =
        "layer " + std::to_string(progress.layer) + " of " + std::to_string(progress.layers) + ": ";
    uint64_t percent = progress.total == 0 ? 100 : progress.done * 100 / progress.total;
    switch (progress.step) {
      case Step::kWaiting:
        return line + "waiting for another pull";
      case Step::kPresent:
        return line + "present";
      case Step::kUnpacking:
        return line + Bar(percent) + " " + std::to_string(percent) + " % of " +
               FormatSize(progress.total);
      case Step::kUnpacked:
        return line + "pulled, " + FormatSize(progress.total);
    }
    return line;
  }
  static std::string Bar(uint64_t percent) {
    constexpr size_t kWidth = 25;
    size_t filled = static_cast<size_t>(percent) * kWidth / 100;
    return "[" + std::string(filled, '=') + std::string(kWidth - filled, ' ') + "]";
  }

  const bool is_terminal_;
  bool is_drawn_ = false;
  std::vector<std::string> lines_;
};

// The first line of standard input; at a terminal without echo.
Result<std::string> ReadPassword() {
  termios before{};
  bool is_terminal = tcgetattr(STDIN_FILENO, &before) == 0;
  if (is_terminal) {
    PrintError("Password: ");
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &silent);
  }
  ScopeExit restore([&] {
    if (!is_terminal) return;
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    PrintError("\n");
  });
  std::string text;
  while (text.find('\n') == std::string::npos) {
    char buffer[4096];
    size_t count = TRY(sys::Read(STDIN_FILENO, buffer, sizeof(buffer)));
    if (count == 0) break;
    text.append(buffer, count);
    if (text.size() > kMaxPassword.count())
      return Error(Code::kInvalid, "the password is too long");
  }
  text.resize(std::min(text.find('\n'), text.size()));
  if (text.ends_with('\r')) text.pop_back();
  if (text.empty()) return Error(Code::kInvalid, "there is no password on standard input");
  return text;
}

}  // namespace

Result<int> Carry(const ImagePull& options, const runtime::Roots& roots) {
  images::ImageReference reference = TRY(images::ImageReference::Parse(options.image));
  registry::PullOptions pull;
  if (options.platform) pull.platform = TRY(images::Platform::Parse(*options.platform));
  pull.auth_file = options.auth_file;
  pull.settings = TRY(SettingsFor(reference.domain(), options.is_verified));
  PullProgress progress(IsTerminal(STDERR_FILENO));
  if (!options.is_quiet) {
    pull.progress = [&](const images::ImportProgress& step) { progress.Show(step); };
  }
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  images::Image image = TRY(registry::Pull(store, reference, pull));
  Print((options.is_quiet ? "" : reference.Familiar() + " ") + image.id.ToString() + "\n");
  return 0;
}

Result<int> Carry(const Login& options, const runtime::Roots& /*roots*/) {
  registry::Credential credential;
  credential.user = options.user;
  credential.password = TRY(ReadPassword());
  registry::Settings settings = TRY(SettingsFor(options.registry, options.is_verified));
  std::unique_ptr<registry::Repository> repository =
      TRY(registry::Repository::Open({options.registry, ""}, std::move(settings), credential,
                                     registry::Repository::Access::kPull));
  TRY(repository->CheckLogin());
  registry::CredentialStore store(options.auth_file);
  TRY(store.Store(options.registry, credential));
  Print("logged in to " + Printable(options.registry) + "\n");
  return 0;
}

Result<int> Carry(const Logout& options, const runtime::Roots& /*roots*/) {
  registry::CredentialStore store(options.auth_file);
  bool is_erased = TRY(store.Erase(options.registry));
  if (!is_erased) return Error(Code::kNotFound, options.registry + ": not logged in");
  Print("logged out of " + Printable(options.registry) + "\n");
  return 0;
}

}  // namespace skiff::tools
