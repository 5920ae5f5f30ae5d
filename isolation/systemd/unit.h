// Units of systemd as plain data, and how they travel to skiff-oci-systemd, the one program that
// speaks D-Bus: as words of a command line.
#pragma once

#include <string>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::isolation {

// One property as StartTransientUnit of org.freedesktop.systemd1(5) takes it.
struct UnitProperty {
  std::string name;
  // D-Bus signature: a basic type, "as", "ay" or "a(ss)".
  std::string type;
  std::vector<std::string> values;  // of "a(ss)" two for each entry, of "ay" a number a byte
};

// NAME TYPE COUNT VALUE...
void AppendWords(const UnitProperty& property, std::vector<std::string>* words);
Result<std::vector<UnitProperty>> ParseWords(const std::vector<std::string>& words);

}  // namespace skiff::isolation
