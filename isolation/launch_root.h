// Paths inside a container's root, for the set-up between clone and exec: resolved as a process
// chrooted there would, never out of it, and each step anew from the root. Private to
// launch_child.cc, and with its rules: only system calls, no allocation. Functions return a
// descriptor or true, or else -1 or false with errno set.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace skiff::isolation {

class LaunchRoot {
 public:
  // `fd` is borrowed. Directories and files that are made belong to `owner` and its group.
  LaunchRoot(int fd, uid_t owner) : fd_(fd), owner_(owner) {}

  // A magic link leads nowhere.
  int Open(const char* path, int flags, mode_t mode = 0) const;
  // Made when absent, with its parents.
  int OpenDirectory(const char* path) const;
  // The same, but a link on the way is ELOOP.
  int OpenPlainDirectory(const char* path) const;
  // A file to bind over, made when absent, with its parents. Where a link in the image leads
  // nowhere (resolv.conf of a systemd host) the file is made there, inside the root.
  int OpenFile(const char* path, int links = 0) const;
  // The directory of `path` (made when absent) and the last component's name.
  int OpenParent(const char* path, const char** name) const;
  // What was made here is the container's root's, whatever that is outside.
  bool Own(int parent, const char* name) const;

 private:
  int MakeDirectories(const char* path) const;
  bool ReadLink(int parent, const char* path, const char* name, char* target) const;

  int fd_;
  uid_t owner_;
};

// A root that is a plain directory keeps its nodes and links from one run to the next: the same is
// fine, another is EEXIST.
bool MakeNode(int parent, const char* name, mode_t mode, dev_t number);
bool MakeLink(int parent, const char* name, const char* target);

// The host's file system of this type as a detached mount; -1 and EPERM for a type it is not known
// for.
int CloneHostFilesystem(const char* type);

// openat2(2), close-on-exec, with RESOLVE_ flags.
int OpenResolved(int directory, const char* path, int flags, uint64_t resolve, mode_t mode = 0);

// errno stays.
void CloseQuietly(int fd);

// Closes every descriptor from `first` on, but `one` and `other`. False: errno says why.
bool CloseAllBut(unsigned first, int one, int other);

}  // namespace skiff::isolation
