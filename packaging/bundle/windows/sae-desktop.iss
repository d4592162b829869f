; The installer for Windows (Inno Setup 6.3 or newer), of the bundle that build.py has made:
;   iscc /DVersion=0.1.0 packaging\bundle\windows\sae-desktop.iss
; It installs for this user without asking for an administrator, or for all users.
#ifndef Version
  #error Give the version: iscc /DVersion=0.1.0 ...
#endif

[Setup]
AppId={{6E0E6B0C-5B0B-4C52-9E0B-5D1B7E9A41C7}
AppName=SAE Desktop
AppVersion={#Version}
AppPublisher=The SAE Desktop developers
DefaultDirName={autopf}\SAE Desktop
DefaultGroupName=SAE Desktop
DisableProgramGroupPage=yes
LicenseFile=..\..\..\LICENSE
OutputDir=..\..\..\build
OutputBaseFilename=sae-desktop-{#Version}-windows
SetupIconFile=..\made\sae-desktop.ico
UninstallDisplayIcon={app}\sae-desktop-window.exe
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
PrivilegesRequired=lowest
PrivilegesRequiredOverridesAllowed=dialog
ChangesAssociations=yes
Compression=lzma2/max
SolidCompression=yes
WizardStyle=modern

[Tasks]
Name: desktopicon; Description: "{cm:CreateDesktopIcon}"; Flags: unchecked
Name: associate; Description: "Open packages (.saepack) with SAE Desktop"

[InstallDelete]
; A library of an older version must not be found beside the new one.
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "..\..\..\build\sae-desktop\*"; DestDir: "{app}"; Flags: recursesubdirs ignoreversion

[Icons]
Name: "{autoprograms}\SAE Desktop"; Filename: "{app}\sae-desktop-window.exe"
Name: "{autodesktop}\SAE Desktop"; Filename: "{app}\sae-desktop-window.exe"; Tasks: desktopicon

[Registry]
Root: HKA; Subkey: "Software\Classes\.saepack"; ValueType: string; ValueData: "SAEDesktop.Package"; Flags: uninsdeletevalue; Tasks: associate
Root: HKA; Subkey: "Software\Classes\SAEDesktop.Package"; ValueType: string; ValueData: "SAE Desktop package"; Flags: uninsdeletekey; Tasks: associate
Root: HKA; Subkey: "Software\Classes\SAEDesktop.Package\DefaultIcon"; ValueType: string; ValueData: "{app}\sae-desktop-window.exe,0"; Tasks: associate
Root: HKA; Subkey: "Software\Classes\SAEDesktop.Package\shell\open\command"; ValueType: string; ValueData: """{app}\sae-desktop-window.exe"" ""%1"""; Tasks: associate

[Run]
Filename: "{app}\sae-desktop-window.exe"; Description: "{cm:LaunchProgram,SAE Desktop}"; Flags: nowait postinstall skipifsilent
