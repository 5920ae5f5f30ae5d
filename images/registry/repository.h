// One repository of one registry, as one caller sees it: OCI distribution over HTTP, with
// authentication, retries and a registry's Retry-After. Several threads may use one.
//
// Errors: kNotFound (no such repository, tag or blob), kDenied (credentials, certificates),
// kTimeout and kUnavailable (after every attempt), kInvalid (what came is not what should).
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "images/digest.h"
#include "images/registry/challenge.h"
#include "images/registry/credentials.h"
#include "images/registry/settings.h"
#include "isolation/base/result.h"
#include "networking/http/client.h"

namespace skiff::images::registry {

namespace http = networking::http;

struct RepositoryName {
  std::string host;  // "docker.io", "registry.local:5000"
  std::string path;  // "library/nginx"; empty: the registry itself, to log in
};

struct ManifestAnswer {
  std::string text;
  std::string media_type;
  Digest digest;  // of the text
};

class Repository {
 public:
  enum class Access { kPull, kPush };

  static Result<std::unique_ptr<Repository>> Open(RepositoryName name, Settings settings,
                                                  std::optional<Credential> credential,
                                                  Access access);

  // `reference`: a tag or a digest. The digest, the registry's word for it and the content agree.
  Result<ManifestAnswer> GetManifest(const std::string& reference);
  // The blob from `offset` on: status 200 (from its start, whatever was asked) or 206.
  Result<std::unique_ptr<http::Exchange>> GetBlob(const Digest& digest, uint64_t offset);
  // The same from an address that a manifest of this registry names: as an answer of the registry
  // could lead there, with no word of who asks. The registry has to have answered before.
  Result<std::unique_ptr<http::Exchange>> GetBlobAt(const std::string& url, uint64_t offset);
  // A small blob, verified.
  Result<std::string> ReadBlob(const Digest& digest, uint64_t size);

  Result<bool> HasBlob(const Digest& digest);
  // `open` gives the content from its start; once for every attempt.
  using BodySource = std::function<Result<std::string_view>()>;
  // `from`: other repositories of this registry that may have it; from one that has, the registry
  // takes it itself, and the answer is false: nothing was sent.
  Result<bool> PutBlob(const Digest& digest, uint64_t size, const std::vector<std::string>& from,
                       const std::function<Result<BodySource>()>& open);
  Result<> PutManifest(const std::string& reference, const std::string& text,
                       const std::string& media_type);
  // Whether the registry lets us in.
  Result<> CheckLogin();

  const Settings& settings() const { return settings_; }

 private:
  struct Call {
    std::string method = "GET";
    std::string target;            // beneath the registry's root
    std::optional<http::Url> url;  // instead: an address the registry gave
    std::vector<http::Header> headers;
    std::string body;
    std::function<Result<BodySource>()> open_body;
    uint64_t body_size = 0;
  };

  Repository(RepositoryName name, Settings settings, std::optional<Credential> credential,
             Access access, http::ProxySettings proxies);

  Result<http::Url> Base();
  Result<http::Url> FindScheme() const;
  Result<std::unique_ptr<http::Exchange>> Send(const Call& call);
  Result<std::unique_ptr<http::Exchange>> SendForBlob(Call call, uint64_t offset);
  Result<std::unique_ptr<http::Exchange>> SendAuthorized(const Call& call);
  Result<std::unique_ptr<http::Exchange>> SendWith(const Call& call, const http::Url& base,
                                                   const std::string& authorization);
  Result<std::string> Authorize(const http::Url& base, const std::string& header,
                                const std::string& rejected);
  Result<std::string> FetchToken(const http::Url& base, const Challenge& challenge);
  Result<std::optional<http::Url>> StartUpload(const std::string& query);
  void Remember(const http::Leader& leader);
  std::string Target(const std::string& rest) const { return "/v2/" + name_.path + rest; }

  const RepositoryName name_;
  const Settings settings_;
  const std::optional<Credential> credential_;
  const Access access_;
  http::Client client_;

  std::mutex mutex_;  // guards the three that follow
  std::optional<http::Url> base_;
  // Where the registry was when it answered first: whatever it names, and whatever its own name
  // means later, may only be where this may lead to.
  std::optional<http::Leader> leader_;
  std::string authorization_;
};

}  // namespace skiff::images::registry
