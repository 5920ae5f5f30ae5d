#include "networking/http/url.h"

#include <algorithm>

#include "isolation/base/text.h"
#include "networking/http/limits.h"

namespace skiff::networking::http {
namespace {

constexpr std::string_view kPlain = "http://";
constexpr std::string_view kTls = "https://";

Error Refuse(std::string_view text, std::string_view why) {
  constexpr size_t kShown = 200;
  std::string shown;
  for (char c : text.substr(0, kShown)) shown += c > ' ' && c < 127 ? c : '?';
  return Error(Code::kInvalid, "address '" + shown + "': " + std::string(why));
}

uint16_t DefaultPort(bool is_tls) { return is_tls ? 443 : 80; }

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool StartsWithIgnoringCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin(),
                                                    [](char a, char b) { return a == Lower(b); });
}

Result<> CheckCharacters(std::string_view text) {
  if (text.size() > kMaxUrl) {
    return Refuse(text, "longer than " + std::to_string(kMaxUrl) + " bytes");
  }
  bool is_clean = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 127; });
  if (!is_clean) return Refuse(text, "has a space or a character that is not ASCII");
  return {};
}

std::string TargetOf(std::string_view rest) {
  rest = rest.substr(0, rest.find('#'));
  std::string target(rest);
  if (target.empty() || target[0] != '/') target.insert(0, "/");
  return target;
}

}  // namespace

Result<Url> ParseAuthority(std::string_view text, bool is_tls) {
  Url url;
  url.is_tls = is_tls;
  url.port = DefaultPort(is_tls);
  url.target = "/";
  if (text.find('@') != std::string_view::npos) return Refuse(text, "names a user");
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    size_t end = text.find(']');
    if (end == std::string_view::npos) return Refuse(text, "its host has no ']'");
    host = text.substr(1, end - 1);
    std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest[0] != ':') return Refuse(text, "expected a port behind ']'");
    port = rest.empty() ? rest : rest.substr(1);
    if (host.empty() || host.find_first_not_of("0123456789abcdefABCDEF:.") != host.npos) {
      return Refuse(text, "its host is not an IPv6 address");
    }
  } else if (size_t colon = text.find(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  std::transform(host.begin(), host.end(), std::back_inserter(url.host), Lower);
  bool is_name = std::all_of(url.host.begin(), url.host.end(), IsHostCharacter);
  if (url.host.empty() || (!text.starts_with('[') && !is_name) || url.host.size() > 253) {
    return Refuse(text, "has no proper host");
  }
  if (!port.empty()) {
    std::optional<uint64_t> number = ParseUint(port, 65535);
    if (!number || *number == 0) return Refuse(text, "its port is not a number up to 65535");
    url.port = static_cast<uint16_t>(*number);
  }
  return url;
}

Result<Url> Url::Parse(std::string_view text) {
  TRY(CheckCharacters(text));
  bool is_tls = StartsWithIgnoringCase(text, kTls);
  if (!is_tls && !StartsWithIgnoringCase(text, kPlain)) {
    return Refuse(text, "expected http:// or https://");
  }
  std::string_view rest = text.substr(is_tls ? kTls.size() : kPlain.size());
  size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  Url url = TRY(ParseAuthority(rest.substr(0, end), is_tls));
  url.target = TargetOf(rest.substr(end));
  return url;
}

Result<Url> Url::Resolve(std::string_view location) const {
  TRY(CheckCharacters(location));
  if (location.starts_with("//")) {
    return Parse((is_tls ? "https:" : "http:") + std::string(location));
  }
  size_t colon = location.find(':');
  if (colon != std::string_view::npos && colon < location.find_first_of("/?#")) {
    return Parse(location);
  }
  Url url = *this;
  if (location.starts_with('/')) {
    url.target = TargetOf(location);
  } else if (!location.empty()) {
    std::string path = target.substr(0, target.find('?'));
    if (location[0] != '?') path.resize(path.rfind('/') + 1);
    url.target = TargetOf(path + std::string(location));
  }
  return url;
}

std::string Url::Authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != DefaultPort(is_tls)) text += ":" + std::to_string(port);
  return text;
}

std::string Url::Origin() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return std::string(is_tls ? kTls : kPlain) + text + ":" + std::to_string(port);
}

std::string Url::ToString() const {
  return std::string(is_tls ? kTls : kPlain) + Authority() + target;
}

std::string Url::Shown() const {
  return std::string(is_tls ? kTls : kPlain) + Authority() + target.substr(0, target.find('?'));
}

std::string PercentEncode(std::string_view text) {
  std::string encoded;
  for (char c : text) {
    bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    std::string_view("-_.~").find(c) != std::string_view::npos;
    if (is_plain) {
      encoded += c;
      continue;
    }
    // In capitals, as RFC 3986, 2.1 wants it from who makes them.
    constexpr char kDigits[] = "0123456789ABCDEF";
    unsigned value = static_cast<unsigned char>(c);
    encoded += {'%', kDigits[value >> 4], kDigits[value & 15]};
  }
  return encoded;
}

}  // namespace skiff::networking::http
