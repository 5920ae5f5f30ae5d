#include "images/registry/settings.h"

#include <fcntl.h>

#include <cstdlib>
#include <cstring>

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

Result<networking::http::TlsTrust> TrustOf(const Settings& settings, const std::string& host) {
  networking::http::TlsTrust trust;
  RegistryRules rules = settings.For(host);
  trust.is_verified = !rules.is_insecure;
  if (!rules.authority.empty()) trust.authorities.push_back(rules.authority);
  for (const std::string& root : settings.certificate_directories) {
    std::string directory = root + "/" + host;
    Result<std::vector<std::string>> names = sys::ListDirectory(AT_FDCWD, directory);
    if (!names.ok()) continue;  // mostly: there is none
    for (const std::string& name : names.value()) {
      std::string path = directory + "/" + name;
      if (name.ends_with(".crt")) trust.authorities.push_back(path);
      if (!name.ends_with(".cert")) continue;
      std::string key = path.substr(0, path.size() - strlen("cert")) + "key";
      if (!sys::Exists(AT_FDCWD, key)) {
        return Error(Code::kInvalid, "client certificate " + path + ": there is no " + key);
      }
      trust.identities.push_back({path, key});
    }
  }
  return trust;
}

}  // namespace skiff::images::registry
