#include "images/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "images/config.h"

namespace skiff::images {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kZeros = "sha256:" + std::string(64, '0');
const std::string kConfig = R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json",)"
                            R"("digest":")" +
                            kZeros + R"(","size":2})";
const std::string kLayer = R"({"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",)"
                           R"("digest":")" +
                           kZeros + R"(","size":3})";
const std::string kManifests = R"("manifests":[{"mediaType":)"
                               R"("application/vnd.oci.image.manifest.v1+json","digest":")" +
                               kZeros +
                               R"(","size":4,"platform":{"os":"linux","architecture":"arm64"}}])";

std::string ManifestError(const std::string& text, const char* type = "") {
  Result<Manifest> manifest = DecodeManifest(text, "manifest", type);
  return manifest.ok() ? "no error" : manifest.error().message();
}

std::string IndexError(const std::string& text, const char* type = "") {
  auto index = DecodeIndex(text, "index", type);
  return index.ok() ? "no error" : index.error().message();
}

TEST(ManifestTest, ConfigAndLayersAreRead) {
  std::string text = R"({"schemaVersion":2,)" + kConfig + R"(,"layers":[)" + kLayer + "]}";
  Manifest manifest = DecodeManifest(text, "manifest", kOciManifestType).value();
  EXPECT_EQ(manifest.config.size, 2u);
  ASSERT_EQ(manifest.layers.size(), 1u);
  EXPECT_EQ(manifest.layers[0].digest.ToString(), kZeros);
}

TEST(ManifestTest, WhatWeWriteWeRead) {
  Manifest manifest;
  manifest.config = {kOciConfigType, Sha256::Of("c"), 1, {}, "", ""};
  manifest.layers = {{kOciLayerType, Sha256::Of("l"), 5, {}, "", ""}};
  std::string text = EncodeManifest(manifest);
  Manifest read = DecodeManifest(text, "manifest", kOciManifestType).value();
  EXPECT_EQ(read.layers[0].digest, Sha256::Of("l"));
  EXPECT_EQ(EncodeManifest(read), text);
}

// One document must not be a manifest to one reader and an index to another (CVE-2021-41190).
TEST(ManifestTest, DocumentThatCouldBeBothIsRefusedAsEither) {
  std::string both = R"({"schemaVersion":2,)" + kConfig + R"(,"layers":[],)" + kManifests + "}";
  EXPECT_THAT(ManifestError(both), HasSubstr("could be both"));
  EXPECT_THAT(IndexError(both), HasSubstr("could be both"));
  EXPECT_THAT(IndexError(R"({"schemaVersion":2,"layers":[],)" + kManifests + "}"),
              HasSubstr("could be both"));
  EXPECT_THAT(IndexError(R"({"schemaVersion":2,"config":{},)" + kManifests + "}"),
              HasSubstr("could be both"));
}

TEST(ManifestTest, MediaTypeMustBeTheExpectedOne) {
  std::string start = R"({"schemaVersion":2,"mediaType":)";
  std::string docker = R"("application/vnd.docker.distribution.manifest.v2+json",)";
  std::string index = R"("application/vnd.oci.image.index.v1+json",)";
  std::string rest = kConfig + R"(,"layers":[]})";
  EXPECT_EQ(ManifestError(start + docker + rest), "no error");
  EXPECT_THAT(ManifestError(start + docker + rest, kOciManifestType),
              HasSubstr("where it is referred to"));
  EXPECT_THAT(ManifestError(start + index + rest), HasSubstr("another kind of document"));
  EXPECT_THAT(IndexError(start + docker + kManifests + "}"), HasSubstr("another kind of document"));
}

TEST(ManifestTest, OnlyForeignLayersHaveAddresses) {
  std::string digest = "sha256:" + std::string(64, '0');
  auto layer = [&](const std::string& type) {
    return R"({"mediaType":")" + type + R"(","digest":")" + digest +
           R"(","size":1,"urls":["https://a.invalid/x"]})";
  };
  std::string text = R"({"schemaVersion":2,)" + kConfig + R"(,"layers":[)" + layer(kOciLayerType) +
                     "," + layer("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip") +
                     "]}";
  Manifest manifest = DecodeManifest(text, "manifest", "").value();
  EXPECT_FALSE(IsForeignLayerType(manifest.layers[0].media_type));
  EXPECT_THAT(manifest.layers[0].urls, testing::IsEmpty());
  EXPECT_TRUE(IsForeignLayerType(manifest.layers[1].media_type));
  EXPECT_THAT(manifest.layers[1].urls, testing::ElementsAre("https://a.invalid/x"));
}

TEST(ManifestTest, EachBadMemberIsNamed) {
  struct Case {
    std::string text;
    const char* error;
  };
  std::string start = R"({"schemaVersion":2,)";
  for (const Case& bad : {
           Case{"{}", "manifest: schemaVersion is 0, expected 2"},
           Case{R"({"schemaVersion":1})", "schemaVersion is 1, expected 2"},
           Case{start + R"("layers":[]})", "manifest: config: missing"},
           Case{start + kConfig + "}", "manifest: layers: missing"},
           Case{start + kConfig + R"(,"layers":{}})", "layers: expected array, got object"},
           Case{start + kConfig + R"(,"layers":[{}]})", "layers[0].mediaType: missing"},
           Case{start + R"("config":{"mediaType":"application/x","digest":")" + kZeros +
                    R"(","size":1},"layers":[]})",
                "not a container image"},
           Case{start + R"("config":{"mediaType":"application/x","digest":"sha256:../../x",)"
                        R"("size":1},"layers":[]})",
                "config: digest 'sha256:../../x'"},
           Case{start + R"("config":{"mediaType":"application/x","digest":")" + kZeros +
                    R"(","size":-1},"layers":[]})",
                "config.size: -1 is not between"},
           Case{start + kConfig + R"(,"layers":[{"mediaType":"text/plain","digest":")" + kZeros +
                    R"(","size":1}]})",
                "'text/plain' is not a layer"},
           Case{std::string(100, '['), "nested deeper than 64"},
       }) {
    EXPECT_THAT(ManifestError(bad.text), HasSubstr(bad.error)) << bad.text;
  }
}

TEST(ManifestTest, IndexKeepsPlatforms) {
  auto index = DecodeIndex(R"({"schemaVersion":2,)" + kManifests + "}", "index", "").value();
  ASSERT_EQ(index.size(), 1u);
  EXPECT_EQ(index[0].platform->ToString(), "linux/arm64");
}

TEST(ConfigTest, DefaultsOfAContainerAreRead) {
  ImageConfig config =
      DecodeImageConfig(R"({"os":"linux","architecture":"amd64","created":"2026-01-01T00:00:00Z",
        "rootfs":{"type":"layers","diff_ids":[")" +
                            kZeros + R"("]},
        "config":{"Env":["A=b"],"Entrypoint":["/e"],"Cmd":["c","d"],"WorkingDir":"/w","User":"u:g",
        "StopSignal":"SIGQUIT","ExposedPorts":{"80/tcp":{}},"Volumes":{"/v":{}},
        "Labels":{"k":"v"}}})",
                        "config")
          .value();
  EXPECT_EQ(config.platform.ToString(), "linux/amd64");
  EXPECT_THAT(config.env, ElementsAre("A=b"));
  EXPECT_THAT(config.entrypoint, ElementsAre("/e"));
  EXPECT_THAT(config.cmd, ElementsAre("c", "d"));
  EXPECT_EQ(config.working_dir, "/w");
  EXPECT_EQ(config.user, "u:g");
  EXPECT_EQ(config.stop_signal, "SIGQUIT");
  EXPECT_THAT(config.exposed_ports, ElementsAre("80/tcp"));
  EXPECT_THAT(config.volumes, ElementsAre("/v"));
  EXPECT_THAT(config.labels, ElementsAre(std::pair("k", "v")));
  EXPECT_EQ(config.diff_ids.size(), 1u);
}

TEST(ConfigTest, EachBadMemberIsNamed) {
  auto error_of = [](const std::string& members) {
    Result<ImageConfig> config = DecodeImageConfig(
        R"({"rootfs":{"type":"layers","diff_ids":[]},)" + members + "}", "config");
    return config.ok() ? std::string("no error") : config.error().message();
  };
  EXPECT_EQ(error_of(R"("config":null)"), "no error");
  EXPECT_EQ(error_of(R"("config":{"Env":"A=b"})"),
            "config: config.Env: expected array, got string");
  EXPECT_THAT(error_of(R"("config":{"Cmd":[1]})"), HasSubstr("config.Cmd[0]: expected string"));
  EXPECT_THAT(error_of(R"("config":{"Env":["A=\u0000b"]})"), HasSubstr("Env contains a NUL"));
  EXPECT_THAT(error_of(R"("config":{"Volumes":{"/../../etc":{}}})"), HasSubstr("leads upwards"));
  EXPECT_THAT(error_of(R"("config":{"Labels":{"k":1}})"), HasSubstr("Labels.k: expected string"));
  EXPECT_THAT(DecodeImageConfig("{}", "config").error().message(), HasSubstr("rootfs: missing"));
  EXPECT_THAT(DecodeImageConfig(R"({"rootfs":{"type":"layers","diff_ids":["md5:1"]}})", "c")
                  .error()
                  .message(),
              HasSubstr("rootfs.diff_ids: digest 'md5:1'"));
}

}  // namespace
}  // namespace skiff::images
