// What images are called in tables.
#pragma once

#include <string>

#include "images/store.h"

namespace skiff::tools {

std::string ShortId(const images::Image& image);
// "nginx:latest" for docker.io/library/nginx:latest.
std::string FamiliarName(const std::string& canonical);
// All of them, or "<none>".
std::string NamesOf(const images::Image& image);

}  // namespace skiff::tools
