// skiff image pull, image push, skiff login, skiff logout
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <string>

#include "images/reference.h"
#include "images/registry/credentials.h"
#include "images/registry/push.h"
#include "images/registry/repository.h"
#include "images/store.h"
#include "isolation/base/scope_exit.h"
#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "tools/skiff/commands.h"
#include "tools/skiff/image_pull.h"
#include "tools/skiff/layer_progress.h"
#include "tools/skiff/terminal.h"

namespace skiff::tools {
namespace {

namespace registry = images::registry;

constexpr Bytes kMaxPassword = Bytes::KiB(64);

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
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  images::Image image = TRY(PullImage(store, options));
  images::ImageReference reference = TRY(images::ImageReference::Parse(options.image));
  Print((options.is_quiet ? "" : reference.Familiar() + " ") + image.id.ToString() + "\n");
  return 0;
}

Result<int> Carry(const ImagePush& options, const runtime::Roots& roots) {
  images::ImageStore store = TRY(images::ImageStore::Open(roots.data));
  const std::string& name = options.destination.empty() ? options.image : options.destination;
  images::ImageReference to = TRY(images::ImageReference::Parse(name));
  registry::PushOptions push;
  push.auth_file = options.auth_file;
  push.settings = TRY(RegistrySettings(to.domain(), options.is_verified));
  LayerProgress progress("pushed", CanRedraw(STDERR_FILENO));
  if (!options.is_quiet) {
    push.progress = [&](const images::ImportProgress& step) { progress.Show(step); };
  }
  Result<images::Digest> pushed = registry::Push(store, options.image, to, push);
  progress.Clear();
  images::Digest digest = TRY(std::move(pushed));
  Print((options.is_quiet ? "" : to.Familiar() + " ") + digest.ToString() + "\n");
  return 0;
}

Result<int> Carry(const Login& options, const runtime::Roots& /*roots*/) {
  registry::Credential credential;
  credential.user = options.user;
  credential.password = TRY(ReadPassword());
  registry::Settings settings = TRY(RegistrySettings(options.registry, options.is_verified));
  registry::CredentialStore store(options.auth_file, settings.helper_time);
  std::unique_ptr<registry::Repository> repository =
      TRY(registry::Repository::Open({options.registry, ""}, std::move(settings), credential,
                                     registry::Repository::Access::kPull));
  TRY(repository->CheckLogin());
  TRY(store.Store(options.registry, credential));
  Print("logged in to " + Printable(options.registry) + "\n");
  return 0;
}

Result<int> Carry(const Logout& options, const runtime::Roots& /*roots*/) {
  registry::Settings settings = TRY(registry::LoadSettings());
  registry::CredentialStore store(options.auth_file, settings.helper_time);
  bool is_erased = TRY(store.Erase(options.registry));
  if (!is_erased) return Error(Code::kNotFound, options.registry + ": not logged in");
  Print("logged out of " + Printable(options.registry) + "\n");
  return 0;
}

}  // namespace skiff::tools
