#include "tests/support/busybox_image.h"

#include <fcntl.h>

#include "images/store.h"
#include "isolation/sys/file.h"
#include "tests/support/layout_builder.h"
#include "tests/support/tar_builder.h"

namespace skiff::test {

std::string ImportBusybox(const std::string& data_root, const std::string& directory,
                          images::LayerChoice layers) {
  TarBuilder tar;
  for (const char* name : {"bin", "dev", "proc", "sys", "tmp"}) tar.Directory(name);
  std::string program = sys::ReadFile(AT_FDCWD, "/bin/busybox").value();
  tar.Add({.name = "bin/busybox", .content = program, .mode = 0755});
  tar.Symlink("bin/sh", "busybox");
  TestImage image;
  image.name = "busybox:latest";
  image.layers = {{tar.Finish(), ""}};
  image.config_members = R"("config":{"Env":["PATH=/bin"]})";
  WriteLayout(directory, image);
  images::ImportOptions options;
  options.layers = layers;
  images::Image imported =
      images::ImageStore::Open(data_root).value().Import(directory, options).value();
  return imported.layers[0].directory;
}

}  // namespace skiff::test
