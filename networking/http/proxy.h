// Which proxy a request goes through, by the variables every client knows: HTTPS_PROXY, HTTP_PROXY,
// NO_PROXY, in lower case as well. Values; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "networking/http/url.h"

namespace skiff::networking::http {

struct Proxy {
  Url url;
  std::string authorization;  // of Proxy-Authorization, or empty
};

class ProxySettings {
 public:
  // An address that is not http:// is an error that names the variable.
  static Result<ProxySettings> FromEnvironment();
  // "http://[user:password@]host[:port]", or empty for none; `exceptions`: names, ".suffix"es,
  // addresses and CIDR blocks between commas, or "*".
  static Result<ProxySettings> Make(const std::string& for_http, const std::string& for_https,
                                    const std::string& exceptions);

  std::optional<Proxy> For(const Url& url) const;

 private:
  bool IsExcepted(const Url& url) const;

  std::optional<Proxy> for_http_;
  std::optional<Proxy> for_https_;
  std::vector<std::string> exceptions_;
};

}  // namespace skiff::networking::http
