// The arguments of skiff image, login and logout. A part of command_line.h.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>

#include "tools/skiff/options.h"

namespace skiff::tools {

// What is filled while parsing; the chosen one is taken out at the end.
struct ImageCommands {
  ImageImport import;
  ImagePull pull;
  ImageList list;
  ImageInspect inspect;
  ImageRemove remove;
  ImageTag tag;
  ImageVerify verify;
  ImageDu du;
  ImagePrune prune;
  ImagePush push;
  ImageExport archive;
  ImageExport saved;
  ImageImport loaded;
  Login login;
  Logout logout;
};

// Both outlive `program`.
void AddImageCommands(CLI::App* program, ImageCommands* all, std::optional<Command>* chosen);

}  // namespace skiff::tools
