#include "images/registry/repository.h"

#include <algorithm>
#include <random>
#include <thread>
#include <utility>

#include "images/limits.h"
#include "images/manifest.h"
#include "images/registry/documents.h"
#include "images/registry/headers.h"
#include "images/registry/limits.h"
#include "isolation/base/clock.h"
#include "isolation/base/text.h"
#include "networking/http/base64.h"

namespace skiff::images::registry {
namespace {

using std::chrono::milliseconds;

constexpr char kAcceptedManifests[] =
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

// Where Docker's registry really is.
std::string ServerOf(const std::string& host) {
  return host == "docker.io" ? "registry-1.docker.io" : host;
}

http::ClientSettings ClientSettingsOf(const RepositoryName& name, const Settings& settings,
                                      http::ProxySettings proxies) {
  http::ClientSettings client;
  client.connect_timeout = settings.connect_timeout;
  client.idle_timeout = settings.idle_timeout;
  client.proxies = std::move(proxies);
  client.trust = [settings, host = name.host](const http::Url& url) {
    bool is_own = url.Authority() == ServerOf(host);
    return TrustOf(settings, is_own ? host : url.Authority());
  };
  client.may_lead = [allowed = settings.For(name.host).leads_to, host = name.host](
                        const http::Leader& leader, const http::IpAddress& to) -> Result<> {
    bool is_allowed =
        std::any_of(allowed.begin(), allowed.end(),
                    [&](const http::AddressBlock& block) { return block.Contains(to); });
    if (is_allowed) return {};
    Result<> checked = http::CheckLead(leader, to);
    if (checked.ok()) return {};
    return Error(Code::kDenied, checked.error().message() + " (leadsTo of " + host +
                                    " in registries.json can allow it)");
  };
  return client;
}

bool IsWorthAnotherTry(const Error& error) {
  return error.code() == Code::kUnavailable || error.code() == Code::kTimeout;
}

bool IsWorthAnotherTry(int status) {
  return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

std::optional<milliseconds> RetryAfter(const http::Exchange& exchange) {
  const std::string* value = exchange.Find("Retry-After");
  if (value == nullptr) return std::nullopt;
  return ParseRetryAfter(*value, WallNanoseconds() / 1'000'000'000);
}

// Doubles, and is spread so that many hosts do not come back at once.
milliseconds Backoff(const Settings& settings, size_t attempt) {
  milliseconds delay = settings.retry_delay * (int64_t{1} << std::min<size_t>(attempt - 1, 16));
  delay = std::min(delay, kMaxRetryDelay);
  thread_local std::minstd_rand random{std::random_device{}()};
  return delay + milliseconds(std::uniform_int_distribution<int64_t>(0, delay.count() / 4)(random));
}

// What an answer that is no success says.
Error ErrorOf(http::Exchange* exchange) {
  int status = exchange->status();
  Result<std::string> body = exchange->ReadAll(kMaxErrorBody);
  std::string text = body.ok() ? DecodeErrors(body.value()) : "";
  Code code = Code::kInvalid;
  if (status == 404) code = Code::kNotFound;
  if (status == 401 || status == 403) code = Code::kDenied;
  if (status == 429 || status >= 500) code = Code::kUnavailable;
  if (text.empty() && status == 404) text = "there is no such thing";
  std::string message = exchange->url().Authority() + " answers " + std::to_string(status);
  return Error(code, message + (text.empty() ? "" : ": " + text));
}

}  // namespace

Repository::Repository(RepositoryName name, Settings settings, std::optional<Credential> credential,
                       Access access, http::ProxySettings proxies)
    : name_(std::move(name)),
      settings_(std::move(settings)),
      credential_(std::move(credential)),
      access_(access),
      client_(ClientSettingsOf(name_, settings_, std::move(proxies))) {}

Result<std::unique_ptr<Repository>> Repository::Open(RepositoryName name, Settings settings,
                                                     std::optional<Credential> credential,
                                                     Access access) {
  TRY(http::ParseAuthority(ServerOf(name.host), true).Context("registry"));
  http::ProxySettings proxies = TRY(http::ProxySettings::FromEnvironment());
  return std::unique_ptr<Repository>(new Repository(
      std::move(name), std::move(settings), std::move(credential), access, std::move(proxies)));
}

// ---- where, and who we are ----

// A registry that need not be verified may not have TLS either: whichever answers.
Result<http::Url> Repository::FindScheme() const {
  http::Url secure = TRY(http::ParseAuthority(ServerOf(name_.host), true));
  if (!settings_.For(name_.host).is_insecure) return secure;
  http::ClientSettings quick = ClientSettingsOf(name_, settings_, {});
  quick.proxies = TRY(http::ProxySettings::FromEnvironment());
  http::ClientRequest probe;
  probe.method = "HEAD";
  probe.url = secure;
  probe.url.target = "/v2/";
  probe.follows_redirects = false;
  http::Client client(quick);
  Result<std::unique_ptr<http::Exchange>> answer = client.Send(probe);
  if (answer.ok()) return secure;
  http::Url plain = TRY(http::ParseAuthority(ServerOf(name_.host), false));
  probe.url = plain;
  probe.url.target = "/v2/";
  Result<std::unique_ptr<http::Exchange>> plain_answer = client.Send(probe);
  if (plain_answer.ok()) return plain;
  // With a port, one of the two refusals says what is the matter with the other as well.
  return std::move(plain_answer).error();
}

Result<http::Url> Repository::Base() {
  std::lock_guard lock(mutex_);
  if (!base_) base_ = TRY(FindScheme());
  return *base_;
}

// The answer to a challenge; what another thread has found meanwhile is taken as it is.
Result<std::string> Repository::Authorize(const http::Url& base, const std::string& header,
                                          const std::string& rejected) {
  std::lock_guard lock(mutex_);
  if (authorization_ != rejected) return authorization_;
  std::vector<Challenge> challenges = TRY(ParseChallenges(header));
  auto find = [&](std::string_view scheme) {
    return std::find_if(challenges.begin(), challenges.end(),
                        [&](const Challenge& challenge) { return challenge.scheme == scheme; });
  };
  if (auto bearer = find("bearer"); bearer != challenges.end()) {
    std::string token = TRY(FetchToken(base, *bearer));
    authorization_ = "Bearer " + token;
    return authorization_;
  }
  if (find("basic") == challenges.end()) {
    return Error(Code::kDenied,
                 "it asks for " + challenges[0].scheme + " authentication, which is not supported");
  }
  if (!credential_ || credential_->user.empty()) {
    return Error(Code::kDenied, "authentication is required: skiff login " + name_.host);
  }
  authorization_ = "Basic " + http::Base64Encode(credential_->user + ":" + credential_->password);
  return authorization_;
}

Result<std::string> Repository::FetchToken(const http::Url& base, const Challenge& challenge) {
  http::ClientRequest request;
  request.url = TRY(http::Url::Parse(challenge.Find("realm")).Context("token server"));
  std::string what = "token server " + request.url.Shown();
  if (base.is_tls && !request.url.is_tls) {
    return Error(Code::kDenied, what + ": it is http, and the registry https");
  }
  std::string query;
  std::string service = challenge.Find("service");
  if (!service.empty()) query = "service=" + http::PercentEncode(service);
  // Not the challenge's scope: a registry must not get us tokens for more than we came for.
  if (!name_.path.empty()) {
    std::string actions = access_ == Access::kPush ? "pull,push" : "pull";
    query += (query.empty() ? "" : "&") + std::string("scope=") +
             http::PercentEncode("repository:" + name_.path + ":" + actions);
  }
  if (credential_ && !credential_->identity_token.empty()) {
    request.method = "POST";
    request.headers.push_back({"Content-Type", "application/x-www-form-urlencoded"});
    request.body = "grant_type=refresh_token&client_id=skiff&refresh_token=" +
                   http::PercentEncode(credential_->identity_token) + "&" + query;
  } else {
    char join = request.url.target.find('?') == std::string::npos ? '?' : '&';
    if (!query.empty()) request.url.target += join + query;
    if (credential_ && !credential_->user.empty()) {
      request.headers.push_back(
          {"Authorization",
           "Basic " + http::Base64Encode(credential_->user + ":" + credential_->password)});
    }
  }
  request.led_by = leader_;
  std::unique_ptr<http::Exchange> answer = TRY(client_.Send(request).Context("token server"));
  if (answer->status() != 200) return ErrorOf(answer.get()).Context(what);
  std::string body = TRY(answer->ReadAll(kMaxTokenBody).Context("token server"));
  return DecodeToken(body).Context(what);
}

// ---- requests ----

Result<std::unique_ptr<http::Exchange>> Repository::SendWith(const Call& call,
                                                             const http::Url& base,
                                                             const std::string& authorization) {
  http::ClientRequest request;
  request.method = call.method;
  request.url = base;
  request.url.target = call.target;
  if (call.url) request.url = *call.url;
  request.headers = call.headers;
  bool is_own = request.url.Origin() == base.Origin();
  if (is_own && !authorization.empty()) {
    request.headers.push_back({"Authorization", authorization});
  }
  request.body = call.body;
  request.body_size = call.body_size;
  if (call.open_body) request.body_source = TRY(call.open_body());
  {
    std::lock_guard lock(mutex_);
    request.led_by = leader_;
  }
  std::unique_ptr<http::Exchange> answer = TRY(client_.Send(request));
  if (is_own && !request.led_by) Remember(answer->leader());
  return answer;
}

void Repository::Remember(const http::Leader& leader) {
  std::lock_guard lock(mutex_);
  if (!leader_) leader_ = leader;
}

Result<std::unique_ptr<http::Exchange>> Repository::SendAuthorized(const Call& call) {
  http::Url base = TRY(Base());
  std::string authorization;
  {
    std::lock_guard lock(mutex_);
    authorization = authorization_;
  }
  std::unique_ptr<http::Exchange> answer = TRY(SendWith(call, base, authorization));
  const std::string* header = answer->Find("WWW-Authenticate");
  // Who we were redirected to gets no answer to its challenge.
  bool is_ours = answer->url().Origin() == base.Origin();
  if (answer->status() != 401 || header == nullptr || !is_ours) return answer;
  std::string renewed = TRY(Authorize(base, *header, authorization).Context(base.Authority()));
  return SendWith(call, base, renewed);
}

Result<std::unique_ptr<http::Exchange>> Repository::Send(const Call& call) {
  for (size_t attempt = 1;; ++attempt) {
    Result<std::unique_ptr<http::Exchange>> answer = SendAuthorized(call);
    bool is_last = attempt >= settings_.attempts;
    milliseconds delay = Backoff(settings_, attempt);
    if (!answer.ok()) {
      if (is_last || !IsWorthAnotherTry(answer.error())) return answer;
    } else {
      if (is_last || !IsWorthAnotherTry(answer.value()->status())) return answer;
      std::optional<milliseconds> asked = RetryAfter(*answer.value());
      if (asked && *asked > kMaxRetryAfter) {
        return ErrorOf(answer.value().get())
            .Context("it asks to come back in " + std::to_string(asked->count() / 1000) + " s");
      }
      delay = asked.value_or(delay);
    }
    std::this_thread::sleep_for(delay);
  }
}

Result<ManifestAnswer> Repository::GetManifest(const std::string& reference) {
  Call call;
  call.target = Target("/manifests/" + reference);
  call.headers.push_back({"Accept", kAcceptedManifests});
  std::unique_ptr<http::Exchange> answer = TRY(Send(call));
  if (answer->status() != 200) return ErrorOf(answer.get());
  ManifestAnswer manifest;
  manifest.text = TRY(answer->ReadAll(kMaxManifest));
  manifest.digest = Sha256::Of(manifest.text);
  std::string expected = reference;
  const std::string* said = answer->Find("Docker-Content-Digest");
  if (!Digest::Parse(expected).ok()) expected = said == nullptr ? "" : *said;
  if (!expected.empty() && expected != manifest.digest.ToString()) {
    return Error(Code::kInvalid, "manifest " + expected + ": its content has the digest " +
                                     manifest.digest.ToString());
  }
  const std::string* type = answer->Find("Content-Type");
  if (type != nullptr) {
    manifest.media_type = TrimSpace(std::string_view(*type).substr(0, type->find(';')));
  }
  // Some servers know no better than application/json.
  if (!manifest.media_type.starts_with("application/vnd.")) {
    std::string own = MediaTypeOf(manifest.text);
    if (!own.empty()) manifest.media_type = own;
  }
  return manifest;
}

Result<std::unique_ptr<http::Exchange>> Repository::GetBlob(const Digest& digest, uint64_t offset) {
  Call call;
  call.target = Target("/blobs/" + digest.ToString());
  return SendForBlob(std::move(call), offset);
}

Result<std::unique_ptr<http::Exchange>> Repository::GetBlobAt(const std::string& url,
                                                              uint64_t offset) {
  http::Url base = TRY(Base());
  Call call;
  call.url = TRY(http::Url::Parse(url).Context("foreign layer"));
  if (base.is_tls && !call.url->is_tls) {
    return Error(Code::kDenied,
                 "foreign layer " + call.url->Shown() + ": it is http, and the registry https");
  }
  {
    std::lock_guard lock(mutex_);
    if (!leader_) return Error(Code::kUnavailable, base.Authority() + " has not answered");
  }
  return SendForBlob(std::move(call), offset)
      .Context("foreign layer from " + http::Url::Parse(url).value().Shown());
}

Result<std::unique_ptr<http::Exchange>> Repository::SendForBlob(Call call, uint64_t offset) {
  if (offset > 0) call.headers.push_back({"Range", "bytes=" + std::to_string(offset) + "-"});
  std::unique_ptr<http::Exchange> answer = TRY(Send(call));
  if (answer->status() == 200 || (answer->status() == 206 && offset > 0)) return answer;
  return ErrorOf(answer.get());
}

Result<std::string> Repository::ReadBlob(const Digest& digest, uint64_t size) {
  if (size > kMaxManifest.count()) {
    return Error(Code::kInvalid, "size " + std::to_string(size) + " is above the limit of " +
                                     std::to_string(kMaxManifest.count()));
  }
  std::unique_ptr<http::Exchange> answer = TRY(GetBlob(digest, 0));
  std::string text = TRY(answer->ReadAll(kMaxManifest));
  if (text.size() != size) {
    return Error(Code::kInvalid, "size is " + std::to_string(text.size()) + ", the manifest says " +
                                     std::to_string(size));
  }
  Digest found = Sha256::Of(text);
  if (found == digest) return text;
  return Error(Code::kInvalid, "its content has the digest " + found.ToString());
}

Result<> Repository::CheckLogin() {
  Call call;
  call.target = "/v2/";
  std::unique_ptr<http::Exchange> answer = TRY(Send(call));
  if (answer->status() == 200) return {};
  return ErrorOf(answer.get());
}

// ---- push ----

Result<bool> Repository::HasBlob(const Digest& digest) {
  Call call;
  call.method = "HEAD";
  call.target = Target("/blobs/" + digest.ToString());
  std::unique_ptr<http::Exchange> answer = TRY(Send(call));
  if (answer->status() == 200) return true;
  if (answer->status() == 404) return false;
  return ErrorOf(answer.get());
}

// Nothing: what the query asks to be taken from elsewhere was.
Result<std::optional<http::Url>> Repository::StartUpload(const std::string& query) {
  Call call;
  call.method = "POST";
  call.target = Target("/blobs/uploads/" + query);
  std::unique_ptr<http::Exchange> answer = TRY(Send(call));
  if (!query.empty() && answer->status() == 201) return std::optional<http::Url>();
  const std::string* location = answer->Find("Location");
  if (answer->status() != 202) return ErrorOf(answer.get());
  if (location == nullptr) return Error(Code::kInvalid, "it does not say where to upload to");
  http::Url at = TRY(answer->url().Resolve(*location).Context("upload"));
  if (answer->url().is_tls && !at.is_tls) {
    return Error(Code::kDenied, "it wants an upload over http");
  }
  return std::optional(std::move(at));
}

Result<bool> Repository::PutBlob(const Digest& digest, uint64_t size,
                                 const std::vector<std::string>& from,
                                 const std::function<Result<BodySource>()>& open) {
  // A registry that has it not, or does not show it to us, begins an upload; one that knows no such
  // question may answer with anything.
  std::optional<http::Url> begun;
  for (const std::string& other : from) {
    Result<std::optional<http::Url>> asked = StartUpload(
        "?mount=" + http::PercentEncode(digest.ToString()) + "&from=" + http::PercentEncode(other));
    if (!asked.ok()) continue;
    if (!asked.value()) return false;
    begun = std::move(asked).value();
  }
  // An upload that broke off is begun anew: its address may be good for once only.
  for (size_t attempt = 1;; ++attempt) {
    Call call;
    call.method = "PUT";
    call.url = std::exchange(begun, std::nullopt);
    if (!call.url) call.url = TRY(StartUpload(""));
    char join = call.url->target.find('?') == std::string::npos ? '?' : '&';
    call.url->target += join + std::string("digest=") + http::PercentEncode(digest.ToString());
    call.headers.push_back({"Content-Type", "application/octet-stream"});
    call.open_body = open;
    call.body_size = size;
    Result<std::unique_ptr<http::Exchange>> answer = SendAuthorized(call);
    if (answer.ok() && answer.value()->status() == 201) return true;
    bool is_last = attempt >= settings_.attempts;
    if (!answer.ok() && (is_last || !IsWorthAnotherTry(answer.error()))) {
      return std::move(answer).error();
    }
    if (answer.ok() && (is_last || !IsWorthAnotherTry(answer.value()->status()))) {
      return ErrorOf(answer.value().get());
    }
    std::this_thread::sleep_for(Backoff(settings_, attempt));
  }
}

Result<> Repository::PutManifest(const std::string& reference, const std::string& text,
                                 const std::string& media_type) {
  Call call;
  call.method = "PUT";
  call.target = Target("/manifests/" + reference);
  call.headers.push_back({"Content-Type", media_type});
  call.body = text;
  std::unique_ptr<http::Exchange> answer = TRY(Send(call));
  if (answer->status() == 201 || answer->status() == 200) return {};
  return ErrorOf(answer.get());
}

}  // namespace skiff::images::registry
