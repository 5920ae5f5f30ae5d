#include "images/registry/settings.h"

#include <fcntl.h>

#include <cstdlib>

#include "images/registry/limits.h"
#include "isolation/sys/file.h"

namespace skiff::images::registry {
namespace {

constexpr char kDefaultFile[] = "/etc/skiff/registries.json";

}  // namespace

RegistryRules Settings::For(const std::string& host) const {
  auto found = registries.find(host);
  return found == registries.end() ? RegistryRules() : found->second;
}

Result<Settings> LoadSettings() {
  const char* named = getenv("SKIFF_REGISTRIES");
  bool is_named = named != nullptr && *named != '\0';
  std::string path = is_named ? named : kDefaultFile;
  Result<std::string> text = sys::ReadFile(AT_FDCWD, path, kMaxSettings);
  if (!text.ok() && !is_named && text.error().sys_errno() == ENOENT) return Settings();
  std::string content = TRY(std::move(text));
  return DecodeSettings(content, path);
}

Result<std::vector<std::string>> AuthoritiesOf(const Settings& settings, const std::string& host) {
  std::vector<std::string> files;
  std::string own = settings.For(host).authority;
  if (!own.empty()) files.push_back(own);
  for (const char* root : {"/etc/skiff/certs.d/", "/etc/docker/certs.d/"}) {
    std::string directory = root + host;
    Result<std::vector<std::string>> names = sys::ListDirectory(AT_FDCWD, directory);
    if (!names.ok()) continue;  // mostly: there is none
    for (const std::string& name : names.value()) {
      if (name.ends_with(".crt")) files.push_back(directory + "/" + name);
    }
  }
  return files;
}

}  // namespace skiff::images::registry
