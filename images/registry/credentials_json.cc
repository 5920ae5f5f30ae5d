#include <nlohmann/json.hpp>

#include "images/registry/credentials.h"
#include "images/registry/limits.h"
#include "isolation/base/json.h"
#include "networking/http/base64.h"

namespace skiff::images::registry {
namespace {

namespace http = networking::http;

// "https://index.docker.io/v1/", "https://host/v2/" and "host" are one; "host/team" is more.
std::string NormalKey(std::string_view key) {
  size_t scheme = key.find("://");
  if (scheme != std::string_view::npos) key.remove_prefix(scheme + 3);
  while (key.ends_with('/')) key.remove_suffix(1);
  for (std::string_view version : {"/v1", "/v2"}) {
    if (key.ends_with(version)) key.remove_suffix(version.size());
  }
  if (key == "index.docker.io" || key == "registry-1.docker.io") return "docker.io";
  return std::string(key);
}

Result<Credential> ReadEntry(const JsonCursor& object) {
  Credential credential;
  std::optional<std::string> user = TRY(object.FindString("username"));
  std::optional<std::string> password = TRY(object.FindString("password"));
  std::optional<std::string> token = TRY(object.FindString("identitytoken"));
  std::optional<std::string> auth = TRY(object.FindString("auth"));
  credential.user = user.value_or("");
  credential.password = password.value_or("");
  credential.identity_token = token.value_or("");
  if (!auth || auth->empty()) return credential;
  std::optional<std::string> plain = http::Base64Decode(*auth);
  size_t colon = plain ? plain->find(':') : std::string::npos;
  // The text itself is a secret.
  if (colon == std::string::npos) return object.Invalid("auth is not base64 of user:password");
  credential.user = plain->substr(0, colon);
  credential.password = plain->substr(colon + 1);
  while (credential.password.ends_with('\0')) credential.password.pop_back();
  return credential;
}

bool IsEmpty(const Credential& credential) {
  return credential.user.empty() && credential.identity_token.empty();
}

}  // namespace

Result<CredentialConfig> CredentialConfig::Decode(std::string_view text, std::string_view what) {
  JsonDocument document = TRY(JsonDocument::Parse(text, what, kMaxCredentialFile.count()));
  JsonCursor root = document.root();
  CredentialConfig config;
  std::optional<std::string> store = TRY(root.FindString("credsStore").Context(what));
  config.store_ = store.value_or("");
  std::optional<JsonCursor> helpers = TRY(root.Find("credHelpers").Context(what));
  if (helpers) {
    auto members = TRY(helpers->Members().Context(what));
    for (const auto& [host, cursor] : members) {
      std::string program = TRY(cursor.String().Context(what));
      config.helpers_.emplace_back(NormalKey(host), std::move(program));
    }
  }
  std::optional<JsonCursor> auths = TRY(root.Find("auths").Context(what));
  if (!auths) return config;
  auto members = TRY(auths->Members().Context(what));
  for (const auto& [key, cursor] : members) {
    Credential credential = TRY(ReadEntry(cursor).Context(what));
    // docker leaves an empty object where a helper has the rest.
    if (!IsEmpty(credential)) config.entries_.push_back({NormalKey(key), std::move(credential)});
  }
  return config;
}

std::string CredentialConfig::HelperFor(const std::string& host) const {
  for (const auto& [known, program] : helpers_) {
    if (known == host) return program;
  }
  return store_;
}

std::optional<Credential> CredentialConfig::Find(const std::string& host,
                                                 const std::string& repository) const {
  for (std::string key = host + "/" + repository;; key.resize(key.rfind('/'))) {
    for (const Entry& entry : entries_) {
      if (entry.key == key) return entry.credential;
    }
    if (key.size() <= host.size()) return std::nullopt;
  }
}

Result<std::string> CredentialConfig::WithEntry(std::string_view text, std::string_view what,
                                                const std::string& host,
                                                const std::optional<Credential>& credential,
                                                bool* is_changed) {
  JsonDocument document = TRY(JsonDocument::Parse(text, what, kMaxCredentialFile.count()));
  nlohmann::json config = document.root().value();
  if (!config.is_object()) return document.root().Invalid("expected object");
  nlohmann::json auths = config.contains("auths") && config["auths"].is_object()
                             ? config["auths"]
                             : nlohmann::json::object();
  std::vector<std::string> same;
  for (const auto& member : auths.items()) {
    if (NormalKey(member.key()) == host) same.push_back(member.key());
  }
  for (const std::string& key : same) auths.erase(key);
  *is_changed = !same.empty() || credential.has_value();
  if (credential) {
    nlohmann::json entry;
    if (!credential->identity_token.empty()) entry["identitytoken"] = credential->identity_token;
    entry["auth"] = http::Base64Encode(credential->user + ":" + credential->password);
    auths[host == "docker.io" ? "https://index.docker.io/v1/" : host] = std::move(entry);
  }
  config["auths"] = std::move(auths);
  return EncodeJson(config, 2) + "\n";
}

Result<Credential> DecodeHelperAnswer(std::string_view text) {
  JsonDocument document = TRY(JsonDocument::Parse(text, "its answer", kMaxHelperOutput.count()));
  Credential credential;
  JsonCursor user = TRY(document.root().Get("Username"));
  JsonCursor secret = TRY(document.root().Get("Secret"));
  credential.user = TRY(user.String());
  credential.password = TRY(secret.String());
  // A helper's way to say that the secret is an identity token.
  if (credential.user == "<token>") {
    credential.identity_token = std::exchange(credential.password, "");
    credential.user.clear();
  }
  return credential;
}

std::string EncodeHelperEntry(const std::string& host, const Credential& credential) {
  bool is_token = !credential.identity_token.empty();
  return EncodeJson({{"ServerURL", host},
                     {"Username", is_token ? "<token>" : credential.user},
                     {"Secret", is_token ? credential.identity_token : credential.password}});
}

}  // namespace skiff::images::registry
