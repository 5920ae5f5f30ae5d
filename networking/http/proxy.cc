#include "networking/http/proxy.h"

#include <algorithm>
#include <cstdlib>

#include "isolation/base/text.h"
#include "networking/http/base64.h"
#include "networking/http/ip_address.h"

namespace skiff::networking::http {
namespace {

std::string Variable(const char* lower, const char* upper) {
  const char* value = getenv(lower);
  if (value == nullptr || *value == '\0') value = getenv(upper);
  return value == nullptr ? "" : value;
}

std::string PercentDecode(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        sscanf(std::string(text.substr(i + 1, 2)).c_str(), "%2x", &value) == 1) {
      plain += static_cast<char>(value);
      i += 2;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

Result<std::optional<Proxy>> ParseProxy(const std::string& text) {
  if (text.empty()) return std::optional<Proxy>();
  std::string rest = text;
  if (rest.find("://") == std::string::npos) rest = "http://" + rest;
  Proxy proxy;
  size_t at = rest.rfind('@');
  if (rest.starts_with("http://") && at != std::string::npos) {
    constexpr size_t kScheme = 7;
    proxy.authorization =
        "Basic " + Base64Encode(PercentDecode(rest.substr(kScheme, at - kScheme)));
    rest = "http://" + rest.substr(at + 1);
  }
  // No credentials in the message.
  if (!rest.starts_with("http://")) return Error(Code::kInvalid, "expected http://host[:port]");
  proxy.url = TRY(Url::Parse(rest));
  return std::optional(std::move(proxy));
}

bool IsInBlock(const std::string& host, const std::string& block) {
  std::optional<AddressBlock> parsed = AddressBlock::Parse(block);
  std::optional<IpAddress> address = IpAddress::Parse(host);
  return parsed && address && parsed->Contains(*address);
}

}  // namespace

Result<ProxySettings> ProxySettings::Make(const std::string& for_http, const std::string& for_https,
                                          const std::string& exceptions) {
  ProxySettings settings;
  settings.for_http_ = TRY(ParseProxy(for_http).Context("HTTP_PROXY"));
  settings.for_https_ = TRY(ParseProxy(for_https).Context("HTTPS_PROXY"));
  for (std::string_view piece : Split(exceptions, ',')) {
    std::string_view name = TrimSpace(piece);
    if (name.starts_with("*.")) name.remove_prefix(1);
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(tolower(c)); });
    if (!lower.empty()) settings.exceptions_.push_back(std::move(lower));
  }
  return settings;
}

Result<ProxySettings> ProxySettings::FromEnvironment() {
  return Make(Variable("http_proxy", "HTTP_PROXY"), Variable("https_proxy", "HTTPS_PROXY"),
              Variable("no_proxy", "NO_PROXY"));
}

bool ProxySettings::IsExcepted(const Url& url) const {
  // What stands on this machine no proxy can reach.
  if (url.host == "localhost" || IsInBlock(url.host, "127.0.0.0/8") || url.host == "::1") {
    return true;
  }
  std::string with_port = url.host + ":" + std::to_string(url.port);
  return std::any_of(exceptions_.begin(), exceptions_.end(), [&](const std::string& name) {
    if (name == "*" || name == url.host || name == with_port) return true;
    std::string suffix = name.starts_with('.') ? name : "." + name;
    return url.host.ends_with(suffix) || IsInBlock(url.host, name);
  });
}

std::optional<Proxy> ProxySettings::For(const Url& url) const {
  const std::optional<Proxy>& proxy = url.is_tls ? for_https_ : for_http_;
  if (!proxy || IsExcepted(url)) return std::nullopt;
  return proxy;
}

}  // namespace skiff::networking::http
