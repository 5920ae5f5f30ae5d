#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "networking/http/base64.h"
#include "networking/http/proxy.h"
#include "networking/http/response_reader.h"
#include "networking/http/url.h"

namespace skiff::networking::http {
namespace {

using testing::HasSubstr;

TEST(UrlTest, PartsAreFoundAndDefaultsFilledIn) {
  Url url = Url::Parse("HTTPS://Registry.Example:5000/v2/?a=b#c").value();
  EXPECT_EQ(url.ToString(), "https://registry.example:5000/v2/?a=b");
  EXPECT_EQ(Url::Parse("http://[::1]").value().Origin(), "http://[::1]:80");
  EXPECT_EQ(Url::Parse("https://a?x").value().target, "/?x");
}

TEST(UrlTest, WhatIsNoAddressIsRefused) {
  for (const char* text : {"", "ftp://a/", "http://", "http://a b/", "http://u:p@a/", "http://a:0/",
                           "http://a:65536/", "http://[::1/", "http://a\r\nX: y/"}) {
    EXPECT_FALSE(Url::Parse(text).ok()) << text;
  }
}

TEST(UrlTest, RedirectsMeanWhatBrowsersTakeThemFor) {
  Url url = Url::Parse("https://a:1/x/y?z").value();
  EXPECT_EQ(url.Resolve("/n").value().ToString(), "https://a:1/n");
  EXPECT_EQ(url.Resolve("n").value().ToString(), "https://a:1/x/n");
  EXPECT_EQ(url.Resolve("?q").value().ToString(), "https://a:1/x/y?q");
  EXPECT_EQ(url.Resolve("//b/n").value().ToString(), "https://b/n");
  EXPECT_EQ(url.Resolve("http://b/").value().ToString(), "http://b/");
  EXPECT_FALSE(url.Resolve("file:///etc/passwd").ok());
}

TEST(ResponseReaderTest, HeadersAreReadStrictly) {
  ResponseHead head =
      ParseResponseHead("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n")
          .value();
  EXPECT_EQ(head.content_length, 3u);
  EXPECT_FALSE(head.is_keep_alive);
  for (const char* text :
       {"HTTP/2 200", "HTTP/1.1 20x OK", "HTTP/1.1 999 X", "HTTP/1.1 200 OK\r\nno colon",
        "HTTP/1.1 200 OK\r\nContent-Length: -1", "HTTP/1.1 200 OK\r\na: b\r\n folded: c",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip"}) {
    EXPECT_FALSE(ParseResponseHead(text).ok()) << text;
  }
}

Result<std::string> ReadChunks(std::string_view text, size_t step) {
  ResponseHead head = ParseResponseHead("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked").value();
  BodyReader body(head, true);
  std::string read;
  for (; !text.empty(); text.remove_prefix(std::min(step, text.size()))) {
    std::string_view input = text.substr(0, step);
    while (!input.empty() && !body.is_done()) {
      std::string_view piece = TRY(body.Feed(&input));
      read += piece;
    }
  }
  TRY(body.EndOfInput());
  return read;
}

TEST(ResponseReaderTest, ChunksComeOutWholeWhateverThePieces) {
  for (size_t step = 1; step < 30; ++step) {
    EXPECT_EQ(ReadChunks("3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: r\r\n\r\n", step).value(),
              "abc0123456789");
  }
  for (const char* text :
       {"3\r\nabc\r\n", "3\r\nabcd\r\n0\r\n\r\n", "x\r\n", "-1\r\n", "1000000000000000\r\n"}) {
    EXPECT_FALSE(ReadChunks(text, 7).ok()) << text;
  }
}

TEST(ProxyTest, ExceptionsAreNamesSuffixesAndBlocks) {
  ProxySettings settings =
      ProxySettings::Make("", "http://u:p@proxy:3128", "corp.example, .internal,10.0.0.0/8")
          .value();
  auto uses = [&](const char* text) { return settings.For(Url::Parse(text).value()).has_value(); };
  EXPECT_TRUE(uses("https://registry.example/"));
  EXPECT_FALSE(uses("http://registry.example/"));
  for (const char* text :
       {"https://corp.example/", "https://a.corp.example/", "https://a.internal/",
        "https://10.1.2.3/", "https://localhost/", "https://127.0.0.2/"}) {
    EXPECT_FALSE(uses(text)) << text;
  }
  EXPECT_EQ(settings.For(Url::Parse("https://a/").value())->authorization, "Basic dTpw");
  Result<ProxySettings> refused = ProxySettings::Make("", "socks5://u:secret@proxy", "");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(), HasSubstr("HTTPS_PROXY"));
  EXPECT_THAT(refused.error().message(), testing::Not(HasSubstr("secret")));
}

TEST(Base64Test, ThereAndBack) {
  for (const char* text : {"", "a", "ab", "abc", "user:pass\xff"}) {
    EXPECT_EQ(Base64Decode(Base64Encode(text)), text);
  }
  EXPECT_EQ(Base64Encode("ab"), "YWI=");
  EXPECT_FALSE(Base64Decode("a b").has_value());
}

}  // namespace
}  // namespace skiff::networking::http
