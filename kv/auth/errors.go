package auth

import "errors"

// What a Book and a View refuse. The texts are etcd's, without what it puts before them.
var (
	ErrNoRootUser     = errors.New("root user does not exist")
	ErrNoRootRole     = errors.New("root user does not have root role")
	ErrUserExists     = errors.New("user name already exists")
	ErrUserEmpty      = errors.New("user name is empty") // also: nobody is asking
	ErrUserUnknown    = errors.New("user name not found")
	ErrRoleExists     = errors.New("role name already exists")
	ErrRoleEmpty      = errors.New("role name is empty")
	ErrRoleUnknown    = errors.New("role name not found")
	ErrRoleNotGranted = errors.New("role is not granted to the user")
	ErrNoPermission   = errors.New("permission not given") // a request to grant nothing
	ErrNotGranted     = errors.New("permission is not granted to the role")
	ErrDenied         = errors.New("permission denied")
	ErrFailed         = errors.New("authentication failed, invalid user ID or password")
	ErrNoPassword     = errors.New("authentication failed, password was given for no password user")
	ErrDisabled       = errors.New("authentication is not enabled")
	ErrOldRevision    = errors.New("revision of auth store is old")
	ErrManagement     = errors.New("invalid auth management")
	ErrDamaged        = errors.New("auth: not a checkpoint of users and roles")
)
