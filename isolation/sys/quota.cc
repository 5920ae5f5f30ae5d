#include "isolation/sys/quota.h"

#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <linux/quota.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "isolation/sys/call.h"

namespace skiff::sys {
namespace {

Result<> QuotaCall(int fd, const char* name, int command, uint32_t project, void* argument) {
  return CallVoid(name, "project " + std::to_string(project), [&] {
    return static_cast<int>(
        syscall(SYS_quotactl_fd, fd, QCMD(command, PRJQUOTA), project, argument));
  });
}

Result<struct if_dqblk> QuotaOf(int fd, uint32_t project) {
  struct if_dqblk quota {};
  TRY(QuotaCall(fd, "Q_GETQUOTA", Q_GETQUOTA, project, &quota));
  return quota;
}

Result<struct fsxattr> Attributes(int directory) {
  struct fsxattr attributes {};
  TRY(CallVoid("FS_IOC_FSGETXATTR", "",
               [&] { return ioctl(directory, FS_IOC_FSGETXATTR, &attributes); }));
  return attributes;
}

}  // namespace

bool EnforcesProjects(int fd) {
  struct fs_quota_statv state {};
  state.qs_version = FS_QSTATV_VERSION1;
  Result<> asked = QuotaCall(fd, "Q_XGETQSTATV", Q_XGETQSTATV, 0, &state);
  return asked.ok() && (state.qs_flags & FS_QUOTA_PDQ_ENFD) != 0;
}

Result<uint32_t> ProjectOf(int directory) {
  struct fsxattr attributes = TRY(Attributes(directory));
  return attributes.fsx_projid;
}

Result<> SetProject(int directory, uint32_t project) {
  struct fsxattr attributes = TRY(Attributes(directory));
  attributes.fsx_projid = project;
  attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
  return CallVoid("FS_IOC_FSSETXATTR", "project " + std::to_string(project),
                  [&] { return ioctl(directory, FS_IOC_FSSETXATTR, &attributes); });
}

Result<> SetProjectLimit(int fd, uint32_t project, uint64_t bytes) {
  struct if_dqblk limit {};
  limit.dqb_bhardlimit = bytes / QIF_DQBLKSIZE;
  limit.dqb_bsoftlimit = limit.dqb_bhardlimit;
  limit.dqb_valid = QIF_BLIMITS;
  return QuotaCall(fd, "Q_SETQUOTA", Q_SETQUOTA, project, &limit);
}

Result<uint64_t> ProjectLimit(int fd, uint32_t project) {
  struct if_dqblk quota = TRY(QuotaOf(fd, project));
  return uint64_t{quota.dqb_bhardlimit} * QIF_DQBLKSIZE;
}

Result<uint64_t> ProjectUsage(int fd, uint32_t project) {
  struct if_dqblk quota = TRY(QuotaOf(fd, project));
  return uint64_t{quota.dqb_curspace};
}

}  // namespace skiff::sys
