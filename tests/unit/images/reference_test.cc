#include "images/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "images/platform.h"

namespace skiff::images {
namespace {

using testing::HasSubstr;

const std::string kDigest =
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(DigestTest, TextAndBytesAgree) {
  EXPECT_EQ(Sha256::Of("").ToString(), kDigest);
  EXPECT_EQ(Digest::Parse(kDigest).value(), Sha256::Of(""));
}

TEST(DigestTest, OnlyLowerCaseSha256OfFullLengthIsADigest) {
  for (const std::string& text :
       {std::string("sha256:"), kDigest.substr(0, 70), kDigest + "0", "sha512:" + kDigest.substr(7),
        kDigest.substr(7), std::string(), "sha256:E" + kDigest.substr(8),
        "sha256:../" + kDigest.substr(10)}) {
    EXPECT_FALSE(Digest::Parse(text).ok()) << text;
  }
}

struct Names {
  const char* text;
  const char* canonical;
  const char* familiar;
};

TEST(ReferenceTest, ShortNamesMeanWhatDockerMeans) {
  for (const Names& names : {
           Names{"nginx", "docker.io/library/nginx:latest", "nginx:latest"},
           Names{"nginx:1.25", "docker.io/library/nginx:1.25", "nginx:1.25"},
           Names{"docker.io/library/nginx:latest", "docker.io/library/nginx:latest",
                 "nginx:latest"},
           Names{"index.docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"},
           Names{"docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"},
           Names{"team/app", "docker.io/team/app:latest", "team/app:latest"},
           Names{"quay.io/a/b/c:1", "quay.io/a/b/c:1", "quay.io/a/b/c:1"},
           Names{"localhost/x", "localhost/x:latest", "localhost/x:latest"},
           Names{"localhost:5000/x", "localhost:5000/x:latest", "localhost:5000/x:latest"},
           Names{"[::1]:5000/x:y", "[::1]:5000/x:y", "[::1]:5000/x:y"},
           Names{"a__b/c-d.e--f", "docker.io/a__b/c-d.e--f:latest", "a__b/c-d.e--f:latest"},
       }) {
    Result<ImageReference> reference = ImageReference::Parse(names.text);
    ASSERT_TRUE(reference.ok()) << reference.error().message();
    EXPECT_EQ(reference.value().Canonical(), names.canonical) << names.text;
    EXPECT_EQ(reference.value().Familiar(), names.familiar) << names.text;
    EXPECT_EQ(ImageReference::Parse(reference.value().Familiar()).value(), reference.value());
  }
}

TEST(ReferenceTest, RepositoryThatLooksLikeAHostKeepsItsHost) {
  ImageReference odd = ImageReference::Parse("docker.io/quay.io/x").value();
  EXPECT_EQ(odd.Familiar(), "docker.io/quay.io/x:latest");
  EXPECT_EQ(ImageReference::Parse(odd.Familiar()).value(), odd);
}

TEST(ReferenceTest, DigestStandsInPlaceOfTheTagOrBesideIt) {
  ImageReference pinned = ImageReference::Parse("nginx@" + kDigest).value();
  EXPECT_EQ(pinned.tag(), "");
  EXPECT_EQ(pinned.Canonical(), "docker.io/library/nginx@" + kDigest);
  ImageReference both = ImageReference::Parse("nginx:1@" + kDigest).value();
  EXPECT_EQ(both.tag(), "1");
  EXPECT_EQ(both.digest()->ToString(), kDigest);
}

TEST(ReferenceTest, WhatIsNoNameIsRefusedByName) {
  for (const std::string& text :
       {std::string(""), std::string("NGINX"), std::string("nginx:"), std::string("nginx:a b"),
        std::string("-x"), std::string("x_"), std::string("a___b"), std::string("a..b"),
        std::string("a//b"), std::string("/a"), std::string("a/"), std::string("a/../b"),
        std::string("x@sha256:12"), std::string("host:99999999/x"), std::string("ex_ample.com/x"),
        std::string("x:") + std::string(129, 'a'), std::string(256, 'a')}) {
    Result<ImageReference> reference = ImageReference::Parse(text);
    ASSERT_FALSE(reference.ok()) << text;
    EXPECT_EQ(reference.error().code(), Code::kInvalid);
    EXPECT_THAT(reference.error().message(), HasSubstr("image name '" + text.substr(0, 200)));
  }
}

TEST(PlatformTest, VariantsThatMeanTheSameAreAccepted) {
  Platform arm{"linux", "arm64", ""};
  EXPECT_TRUE(arm.Accepts({"linux", "arm64", "v8"}));
  EXPECT_TRUE(arm.Accepts({"linux", "arm64", ""}));
  EXPECT_TRUE(arm.Accepts({"", "", ""}));
  EXPECT_FALSE(arm.Accepts({"linux", "arm64", "v9"}));
  Platform v7 = Platform::Parse("linux/arm").value();
  EXPECT_TRUE(v7.Accepts({"linux", "arm", "v6"}));
  EXPECT_FALSE(v7.Accepts({"linux", "arm", "v8"}));
  EXPECT_FALSE(v7.Accepts({"linux", "arm", "hard"}));
  EXPECT_GT(v7.Rank({"linux", "arm", "v7"}), v7.Rank({"linux", "arm", "v6"}));
  EXPECT_FALSE(arm.Accepts({"linux", "amd64", ""}));
  EXPECT_FALSE(arm.Accepts({"windows", "arm64", ""}));
}

TEST(PlatformTest, TextHasTwoOrThreeParts) {
  EXPECT_EQ(Platform::Parse("linux/arm64/v8").value().ToString(), "linux/arm64/v8");
  EXPECT_EQ(Platform::Parse("linux/amd64").value().ToString(), "linux/amd64");
  for (const char* text : {"", "linux", "linux/", "/amd64", "a/b/c/d"}) {
    EXPECT_FALSE(Platform::Parse(text).ok()) << text;
  }
}

}  // namespace
}  // namespace skiff::images
